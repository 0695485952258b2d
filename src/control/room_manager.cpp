#include "control/room_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/thrown.h"

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

bool can_save(const Simulation& simulation) {
  try {
    return simulation.save().has_value();
  } catch (...) {
    return false;
  }
}

RoomManager::RoomManager(AdminView& view, const observe::Log& log, const Clock& clock,
                         const RoomMaker& maker, RoomBounds bounds,
                         const StateDirectory* state_directory)
    : view_(view),
      log_(log),
      clock_(clock),
      maker_(maker),
      bounds_(bounds),
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
    const auto rooms = std::ranges::count(view_.rooms, core, &RunningRoom::core) +
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
  const auto has_its_name = [&](const RunningRoom& room) {
    return room.options->name == options.name;
  };
  if (std::ranges::any_of(view_.rooms, has_its_name) || is_changing(options.name)) {
    return answered(
        plain_text_answer(409, fmt::format("There is a room {} already.", options.name)));
  }
  if (view_.rooms.size() + changes_.size() >= bounds_.rooms_max) {
    return answered(
        plain_text_answer(409, fmt::format("There are {} rooms already; close one, or raise "
                                           "rooms_max.",
                                           bounds_.rooms_max)));
  }
  const std::size_t inboxes = inbox_bytes() + inbox_memory_bytes(options);
  if (inboxes > bounds_.inbox_bytes_max) {
    return answered(
        plain_text_answer(409, too_much_inbox_memory(inboxes, bounds_.inbox_bytes_max) + '.'));
  }
  if (!options.definition.empty()) set_aside_left(options.name);
  if (state_directory_ != nullptr && !can_save(*made.simulation)) {
    log_.write(observe::LogLevel::info,
               "room will begin anew after a restart: its simulation has no save()",
               {{"room", options.name}, {"simulation", options.simulation}});
  }
  // Ids go on behind those of the configuration, and are never used again.
  for (const RunningRoom& room : view_.rooms) {
    next_id_ = std::max(next_id_, static_cast<std::uint32_t>(room.id) + 1);
  }
  const room::RoomId id{next_id_++};
  const auto opened = opened_.emplace(id, std::make_unique<Opened>()).first;
  opened->second->options = std::move(options);
  const RoomOptions& its_options = opened->second->options;
  const std::uint32_t home = home_for(its_options);
  std::unique_ptr<HomeRoom> room;
  try {
    room = std::make_unique<HomeRoom>(
        id, its_options.name, std::move(made.simulation), its_options.rate_hz, home,
        its_options.spread,
        room::RoomLimits{.cores = static_cast<std::uint32_t>(view_.cores.size()),
                         .members_max = its_options.members_max,
                         .inbox_inputs_max = its_options.inbox_inputs_max,
                         .inbox_bytes_max = its_options.inbox_bytes_max,
                         .groups_max = its_options.groups_max,
                         .group_members_max = its_options.group_members_max},
        its_options.event_history, clock_.now(), opened->second->metrics);
    room->origin = {its_options.simulation, its_options.definition};
    room->request_fields = its_options.request;
    room->send_every(its_options.send_every_ticks);
    if (made.saved) room->resume(*made.saved, clock_.now() + made.resume_timeout);
  } catch (...) {
    opened_.erase(opened);
    return answered(plain_text_answer(
        400, "Its simulation threw an exception as its room was made: " + what_was_thrown()));
  }
  changes_.emplace(id,
                   Change{.step = Step::opening_home,
                          .room = {id, &its_options, home, &opened->second->metrics},
                          .answers_due = 1,
                          .answered = std::move(answered),
                          .member_ids_begin = made.saved ? made.saved->room.member_ids_end : 0});
  mail(view_.cores[home], OpenRoom{std::move(room),
                                   {.room = id,
                                    .core = home,
                                    .spread = its_options.spread,
                                    .encoding = its_options.encoding}});
}

// Only when the room is there: a connection that another core moves to it must find it.
void RoomManager::tell_others(Change& change) {
  change.step = Step::telling_others;
  const RunningRoom& room = change.room;
  change.answers_due = static_cast<std::uint32_t>(view_.cores.size()) - 1;
  for (std::uint32_t core = 0; core < view_.cores.size(); ++core) {
    if (core == room.core) continue;
    mail(view_.cores[core], LearnOfRoom{{.name = room.options->name,
                                         .address = {.room = room.id,
                                                     .core = room.core,
                                                     .spread = room.options->spread,
                                                     .encoding = room.options->encoding},
                                         .rate_hz = room.options->rate_hz,
                                         .member_ids_begin = change.member_ids_begin,
                                         .request = room.options->request}});
  }
}

void RoomManager::close(std::string_view name, Answered answered) {
  if (is_busy()) return answered(plain_text_answer(503, "The server is busy; ask again."));
  close(name, false, std::move(answered));
}

void RoomManager::close_left(std::string_view name, Answered answered) {
  close(name, state_directory_ != nullptr, std::move(answered));
}

void RoomManager::close(std::string_view name, bool keep, Answered answered) {
  if (is_changing(name)) {
    return answered(plain_text_answer(409, fmt::format("Room {} is changing already.", name)));
  }
  const auto room = std::ranges::find_if(
      view_.rooms, [name](const RunningRoom& its) { return its.options->name == name; });
  if (room == view_.rooms.end()) {
    return answered(plain_text_answer(404, "There is no room of that name."));
  }
  const RunningRoom closing = *room;
  begin_closing(closing, keep, std::move(answered));
}

void RoomManager::failed(room::RoomId room) {
  end(room, Ending::failed);
}

void RoomManager::ended(room::RoomId room) {
  end(room, Ending::by_its_simulation);
}

// While a server shuts down its rooms are not closed one by one. One that wants to be is not saved
// then (Core::save_rooms), and what was saved of it before is not to bring it back.
void RoomManager::end(room::RoomId id, Ending ending) {
  const auto tell = [this](const AdminAnswer& answer) {
    if (answer.status >= 300) log_.write(observe::LogLevel::error, answer.body);
  };
  if (view_.readiness == Readiness::draining) {
    if (ending == Ending::by_its_simulation) {
      if (const std::string* const name = name_of(id)) forget_at_the_end(*name);
    }
    return;
  }
  if (const auto opening = changes_.find(id); opening != changes_.end()) {
    opening->second.ending = ending;
    return;
  }
  if (changes_.size() >= changes_max) {
    ending_.emplace_back(id, ending);
    return;
  }
  const auto room = std::ranges::find(view_.rooms, id, &RunningRoom::id);
  if (room == view_.rooms.end()) return;
  const RunningRoom closing = *room;
  const bool keep = ending == Ending::failed && state_directory_ != nullptr;
  begin_closing(closing, keep, tell);
}

void RoomManager::begin_closing(const RunningRoom& closing, bool keep, Answered answered) {
  std::erase_if(view_.rooms, [&](const RunningRoom& room) { return room.id == closing.id; });
  changes_.emplace(closing.id, Change{.step = Step::closing,
                                      .room = closing,
                                      .answers_due = static_cast<std::uint32_t>(view_.cores.size()),
                                      .answered = std::move(answered),
                                      .member_ids_begin = 0,
                                      .keep = keep});
  for (std::uint32_t core = 0; core < view_.cores.size(); ++core) {
    if (core == closing.core || !closing.options->spread) {
      mail(view_.cores[core], CloseRoom{.room = closing.id, .keep = keep});
    }
  }
}

void RoomManager::changed(room::RoomId room) {
  const auto found = changes_.find(room);
  if (found == changes_.end() || --found->second.answers_due != 0) return;
  Change& change = found->second;
  if (gave_up_) {
    if (change.is_to_be_forgotten()) forget_at_the_end(change.room.options->name);
    return;
  }
  if (change.step == Step::opening_home && view_.cores.size() > 1) {
    tell_others(change);
    return;
  }
  const Change done = std::move(change);
  changes_.erase(found);
  if (!ending_.empty()) {
    const auto [next, ending] = ending_.front();
    ending_.pop_front();
    end(next, ending);
  }
  if (done.step == Step::closing) {
    say("room closed", done.room);
    const auto forgotten = done.keep ? Result<void>() : forget(done.room.options->name);
    if (done.keep) forget_oldest();
    opened_.erase(room);
    done.answered(forgotten ? AdminAnswer{204, {}, {}}
                            : plain_text_answer(500, forgotten.error().message));
    return;
  }
  say("room opened", done.room);
  view_.rooms.push_back(done.room);
  if (done.ending != Ending::none) end(room, done.ending);
  if (done.ending == Ending::failed) {
    return done.answered(plain_text_answer(500, "The room has failed; the log says how."));
  }
  AdminAnswer created{201, "application/json", room_json(done.room) + '\n'};
  created.location = "/rooms/" + done.room.options->name;
  done.answered(std::move(created));
}

void RoomManager::say(std::string_view what, const RunningRoom& room) const {
  log_.write(observe::LogLevel::info, what,
             {{"room", room.options->name},
              {"simulation", room.options->simulation},
              {"core", std::int64_t{room.core}}});
}

std::string too_much_inbox_memory(std::size_t bytes, std::size_t bytes_max) {
  return fmt::format(
      "the inboxes of all rooms would take {} bytes, and rooms_inbox_bytes_max is {}; "
      "lower inbox_bytes_max or inbox_inputs_max of a room, or raise that",
      bytes, bytes_max);
}

std::size_t RoomManager::inbox_bytes() const {
  std::size_t sum = 0;
  for (const RunningRoom& room : view_.rooms) sum += inbox_memory_bytes(*room.options);
  for (const auto& [id, change] : changes_) sum += inbox_memory_bytes(*change.room.options);
  return sum;
}

// A room that left the configuration may be back in it one day; this one is another of its name.
void RoomManager::set_aside_left(std::string_view name) const {
  if (state_directory_ == nullptr || !state_directory_->has(name)) return;
  const auto aside = state_directory_->set_aside(name);
  log_.write(observe::LogLevel::warning,
             "what was saved of an earlier room of this name is put aside",
             {{"room", name}, {"file", aside ? *aside : aside.error().message}});
}

void RoomManager::forget_oldest() const {
  const auto is_there = [this](std::string_view name) {
    return is_changing(name) || std::ranges::any_of(view_.rooms, [name](const RunningRoom& room) {
             return room.options->name == name;
           });
  };
  for (const std::string& room : state_directory_->forget_oldest(is_there)) {
    log_.write(observe::LogLevel::warning,
               "what was saved of a room that has left is removed: too many others have left since",
               {{"room", room}});
  }
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

const std::string* RoomManager::name_of(room::RoomId id) const {
  const auto room = std::ranges::find(view_.rooms, id, &RunningRoom::id);
  if (room != view_.rooms.end()) return &room->options->name;
  const auto change = changes_.find(id);
  return change == changes_.end() ? nullptr : &change->second.room.options->name;
}

void RoomManager::forget_at_the_end(std::string_view name) const {
  if (const auto gone = forget(name); !gone) {
    log_.write(observe::LogLevel::error, gone.error().message);
  }
}

// The cores close what they have been told to close, and save nothing of it. They may have saved it
// shortly before: when they say that it is closed, that has been written, and goes as well.
void RoomManager::give_up() {
  gave_up_ = true;
  for (auto& [id, change] : changes_) {
    std::exchange(change.answered, [](const AdminAnswer&) {})(
        plain_text_answer(503, "The server is shutting down."));
    if (change.is_to_be_forgotten()) forget_at_the_end(change.room.options->name);
  }
  for (const auto& [id, ending] : std::exchange(ending_, {})) {
    const std::string* const name = name_of(id);
    if (name != nullptr && ending == Ending::by_its_simulation) forget_at_the_end(*name);
  }
}

}  // namespace ringcast::server
