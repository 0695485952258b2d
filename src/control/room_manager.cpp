#include "control/room_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ringcast::server {
namespace {

/// The cores read their mail at every turn: a mailbox has room unless hundreds of changes are asked
/// for at once, and each change puts at most one mail into each. Half is left for a reload and a
/// shutdown.
constexpr std::size_t changes_max = control_queue_capacity / 2;

// Not inlined: GCC 12 would see parts of other alternatives that "may be used uninitialized".
[[gnu::noinline]] void mail(const CoreHandle& core, ControlToCore message) {
  static_cast<void>(core.to_core->push(std::move(message)));
  core.doorbell->ring();
}

}  // namespace

RoomManager::RoomManager(AdminView& view, const observe::Log& log, const Clock& clock,
                         const RoomMaker& maker, std::uint32_t rooms_max,
                         const StateDirectory* state_directory)
    : view_(view),
      log_(log),
      clock_(clock),
      maker_(maker),
      rooms_max_(rooms_max),
      state_directory_(state_directory) {}

RoomManager::~RoomManager() = default;

bool RoomManager::is_changing(std::string_view name) const {
  return std::ranges::any_of(
      changes_, [name](const auto& entry) { return entry.second.room.options->name == name; });
}

// Where the fewest sessions are; of several such cores, where the fewest rooms are at home.
std::uint32_t RoomManager::home_for(const RoomOptions& options) const {
  if (options.core) return *options.core;
  const auto load = [this](std::uint32_t core) {
    const auto rooms = std::ranges::count(view_.rooms, core, &RoomHandle::core) +
                       std::ranges::count_if(changes_, [core](const auto& entry) {
                         return entry.second.room.core == core;
                       });
    return std::pair((*view_.cores[core].metrics)[observe::Level::sessions].value(), rooms);
  };
  std::uint32_t best = 0;
  for (std::uint32_t core = 1; core < view_.cores.size(); ++core) {
    if (load(core) < load(best)) best = core;
  }
  return best;
}

bool RoomManager::is_busy() const {
  return view_.readiness != Readiness::serving || changes_.size() >= changes_max;
}

void RoomManager::open(std::string_view body, Answered answered) {
  if (is_busy()) {
    return answered(plain_text_answer(503, view_.readiness == Readiness::draining
                                               ? "The server is shutting down."
                                               : "The server is busy; ask again."));
  }
  if (!maker_) return answered(plain_text_answer(405, "Rooms can't be opened here."));
  auto made = maker_(body);
  if (!made) return answered(plain_text_answer(400, made.error().message));
  made->options.definition = body;
  open(std::move(*made), std::move(answered));
}

void RoomManager::open(MadeRoom made, Answered answered) {
  RoomOptions& options = made.options;
  const auto has_its_name = [&](const RoomHandle& room) {
    return room.options->name == options.name;
  };
  if (std::ranges::any_of(view_.rooms, has_its_name) || is_changing(options.name)) {
    return answered(
        plain_text_answer(409, fmt::format("There is a room {} already.", options.name)));
  }
  if (view_.rooms.size() + changes_.size() >= rooms_max_) {
    return answered(
        plain_text_answer(409, fmt::format("There are {} rooms already; close one, or raise "
                                           "rooms_max.",
                                           rooms_max_)));
  }
  // Ids go on behind those of the configuration, and are never used again.
  for (const RoomHandle& room : view_.rooms) {
    next_id_ = std::max(next_id_, static_cast<std::uint32_t>(room.id) + 1);
  }
  const room::RoomId id{next_id_++};
  const auto opened = opened_.emplace(id, std::make_unique<Opened>()).first;
  opened->second->options = std::move(options);
  const RoomOptions& its_options = opened->second->options;
  const std::uint32_t home = home_for(its_options);
  auto room = std::make_unique<HomeRoom>(
      id, its_options.name, std::move(made.simulation), its_options.rate_hz, home,
      its_options.spread,
      room::RoomLimits{.cores = static_cast<std::uint32_t>(view_.cores.size()),
                       .members_max = its_options.members_max,
                       .inbox_inputs_max = its_options.inbox_inputs_max,
                       .inbox_bytes_max = its_options.inbox_bytes_max,
                       .groups_max = its_options.groups_max,
                       .group_members_max = its_options.group_members_max},
      clock_.now(), opened->second->metrics);
  room->origin = {its_options.simulation, its_options.definition};
  room->request_fields = its_options.request;
  changes_.emplace(id, Change{.step = Step::opening_home,
                              .room = {id, &its_options, home, &opened->second->metrics},
                              .answers_due = 1,
                              .answered = std::move(answered)});
  mail(view_.cores[home],
       OpenRoom{std::move(room), {.room = id, .core = home, .spread = its_options.spread}});
}

// Only when the room is there: a connection that another core moves to it must find it.
void RoomManager::tell_others(Change& change) {
  change.step = Step::telling_others;
  const RoomHandle& room = change.room;
  change.answers_due = static_cast<std::uint32_t>(view_.cores.size()) - 1;
  for (std::uint32_t core = 0; core < view_.cores.size(); ++core) {
    if (core == room.core) continue;
    mail(view_.cores[core],
         LearnOfRoom{
             {.name = room.options->name,
              .address = {.room = room.id, .core = room.core, .spread = room.options->spread},
              .encoding = Encoding::envelope,
              .rate_hz = room.options->rate_hz,
              .request = room.options->request}});
  }
}

void RoomManager::close(std::string_view name, Answered answered) {
  if (is_busy()) return answered(plain_text_answer(503, "The server is busy; ask again."));
  close_left(name, std::move(answered));
}

void RoomManager::close_left(std::string_view name, Answered answered) {
  if (is_changing(name)) {
    return answered(plain_text_answer(409, fmt::format("Room {} is changing already.", name)));
  }
  const auto room = std::ranges::find_if(
      view_.rooms, [name](const RoomHandle& its) { return its.options->name == name; });
  if (room == view_.rooms.end()) {
    return answered(plain_text_answer(404, "There is no room of that name."));
  }
  const RoomHandle closing = *room;
  begin_closing(closing, std::move(answered));
}

// While a server shuts down its rooms are not closed one by one.
void RoomManager::failed(room::RoomId id) {
  const auto room = std::ranges::find(view_.rooms, id, &RoomHandle::id);
  if (room == view_.rooms.end() || view_.readiness == Readiness::draining) return;
  const RoomHandle closing = *room;
  begin_closing(closing, [](const AdminAnswer&) {});
  changes_.at(id).failed = true;
}

void RoomManager::begin_closing(const RoomHandle& closing, Answered answered) {
  std::erase_if(view_.rooms, [&](const RoomHandle& room) { return room.id == closing.id; });
  changes_.emplace(closing.id, Change{.step = Step::closing,
                                      .room = closing,
                                      .answers_due = static_cast<std::uint32_t>(view_.cores.size()),
                                      .answered = std::move(answered)});
  for (std::uint32_t core = 0; core < view_.cores.size(); ++core) {
    if (core == closing.core || !closing.options->spread) {
      mail(view_.cores[core], CloseRoom{closing.id});
    }
  }
}

void RoomManager::end(room::RoomId room) {
  const auto change = changes_.find(room);
  if (change != changes_.end()) {
    if (change->second.step != Step::closing) ending_.insert(room);
    return;
  }
  const auto found = std::ranges::find(view_.rooms, room, &RoomHandle::id);
  if (found == view_.rooms.end() || view_.readiness == Readiness::draining) return;
  const RoomHandle closing = *found;
  begin_closing(closing, [](const AdminAnswer&) {});
}

void RoomManager::changed(room::RoomId room) {
  const auto found = changes_.find(room);
  if (found == changes_.end() || --found->second.answers_due != 0) return;
  Change& change = found->second;
  if (change.step == Step::opening_home && view_.cores.size() > 1) {
    tell_others(change);
    return;
  }
  const Change done = std::move(change);
  changes_.erase(found);
  if (done.step == Step::closing) {
    say("room closed", done.room);
    const auto forgotten = done.failed ? Result<void>{} : forget(done.room.options->name);
    opened_.erase(room);
    done.answered(forgotten ? AdminAnswer{204, {}, {}}
                            : plain_text_answer(500, forgotten.error().message));
    return;
  }
  say("room opened", done.room);
  view_.rooms.push_back(done.room);
  AdminAnswer created{201, "application/json", room_json(done.room) + '\n'};
  created.location = "/rooms/" + done.room.options->name;
  done.answered(std::move(created));
  if (ending_.erase(room) != 0) end(room);
}

void RoomManager::say(std::string_view what, const RoomHandle& room) const {
  log_.write(observe::LogLevel::info, what,
             {{"room", room.options->name},
              {"simulation", room.options->simulation},
              {"core", std::int64_t{room.core}}});
}

// What was saved of the room before this server ran is not to come back with the next one.
Result<void> RoomManager::forget(std::string_view name) const {
  if (state_directory_ == nullptr) return {};
  if (const auto removed = state_directory_->remove(name); !removed) {
    return fail(
        fmt::format("The room is closed, but {}; remove it, or the next server begins with "
                    "what is in it.",
                    removed.error().message));
  }
  return {};
}

void RoomManager::give_up() {
  for (auto& [id, change] : std::exchange(changes_, {})) {
    change.answered(plain_text_answer(503, "The server is shutting down."));
  }
}

}  // namespace ringcast::server
