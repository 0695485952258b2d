#include "control/reload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cassert>
#include <utility>

namespace ringcast::server {
namespace {

// Not inlined: GCC 12 would see parts of other alternatives that "may be used uninitialized".
[[gnu::noinline]] void mail(const CoreHandle& core, const CoreOptions& options) {
  const bool posted =
      core.to_core->push(Reconfigure{.options = std::make_unique<const CoreOptions>(options)});
  assert(posted && "one reload is under way, and room changes leave room for its mail");
  static_cast<void>(posted);
  core.doorbell->ring();
}

}  // namespace

void Reloading::begin(Reload reload, std::span<const CoreHandle> cores,
                      std::function<void()> over) {
  assert(!under_way());
  reload_ = std::move(reload);
  close_next_ = open_next_ = 0;
  closed_ = opened_ = 0;
  over_ = std::move(over);
  rooms_.set_bounds(reload_.rooms);
  answers_due_ = cores.size();
  for (const CoreHandle& core : cores) mail(core, reload_.core);
}

void Reloading::reconfigured() {
  if (under_way() && --answers_due_ == 0) change_next_room();
}

// One after another: the cores' mailboxes are bounded.
void Reloading::change_next_room() {
  if (!under_way()) return;
  if (close_next_ < reload_.closed.size()) {
    const std::string& name = reload_.closed[close_next_++];
    return rooms_.close_left(
        name, [this, &name](const AdminAnswer& answer) { changed(name, answer, closed_); });
  }
  if (open_next_ < reload_.opened.size()) {
    MadeRoom& room = reload_.opened[open_next_++];
    const std::string name = room.options.name;
    return rooms_.open(std::move(room),
                       [this, name](const AdminAnswer& answer) { changed(name, answer, opened_); });
  }
  log_.write(observe::LogLevel::info, "reloaded",
             {{"rooms_opened", opened_}, {"rooms_closed", closed_}});
  if (!reload_.at_next_start.empty()) {
    const std::string settings = fmt::format("{}", fmt::join(reload_.at_next_start, ", "));
    log_.write(
        observe::LogLevel::warning,
        "some settings differ from those the server was started with, and hold from its next "
        "start on",
        {{"settings", settings}});
  }
  const auto over = std::exchange(over_, {});
  over();
}

void Reloading::changed(std::string_view room, const AdminAnswer& answer, std::int64_t& count) {
  constexpr std::uint16_t mistakes = 300;
  if (answer.status < mistakes) {
    ++count;
  } else if (under_way()) {
    std::string_view why = answer.body;
    while (why.ends_with('\n')) why.remove_suffix(1);
    log_.write(observe::LogLevel::warning, "room not changed by the reload",
               {{"room", room}, {"why", why}});
  }
  change_next_room();
}

}  // namespace ringcast::server
