#include "control/control.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "control/admin.h"
#include "control/core_watch.h"
#include "control/notice_log.h"
#include "control/revocations.h"

namespace ringcast::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// An eventfd (eventfd(2)) that the io_context watches: rings merge, and ringing never blocks.
class ControlDoorbell final : public io::Doorbell {
 public:
  ControlDoorbell(asio::io_context& context, int descriptor) : descriptor_(context, descriptor) {}

  void ring() noexcept override {
    const std::uint64_t one = 1;
    // Fails only when 2^64 - 2 rings wait: then it is ringing anyway.
    const ssize_t written = ::write(descriptor_.native_handle(), &one, sizeof one);
    static_cast<void>(written);
  }

  /// Calls `rung` after each ring or some of them, for as long as the io_context runs.
  void watch(std::function<void()> rung) {
    descriptor_.async_read_some(asio::buffer(&count_, sizeof count_),
                                [this, rung = std::move(rung)](error_code error, std::size_t) {
                                  if (error) return;
                                  rung();
                                  watch(rung);
                                });
  }

 private:
  asio::posix::stream_descriptor descriptor_;
  std::uint64_t count_ = 0;
};

sigset_t heard_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGHUP);
  return signals;
}

std::string_view name_of(int signal) {
  switch (signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "SIGINT";
  }
}

/// The service manager hears that the process lives this often within its timeout: a look that
/// comes late, or a core that is busy for the length of one, is no reason to be killed.
constexpr int looks_in_watchdog_timeout = 4;

/// Signals as something to read (signalfd(2)): one that comes early waits, and none interrupts.
class SignalReader {
 public:
  SignalReader(asio::io_context& context, int descriptor) : descriptor_(context, descriptor) {}

  /// Calls `heard` with each signal's number, for as long as the io_context runs.
  void watch(std::function<void(int)> heard) {
    descriptor_.async_read_some(asio::buffer(&read_, sizeof read_),
                                [this, heard = std::move(heard)](error_code error, std::size_t) {
                                  if (error) return;
                                  heard(static_cast<int>(read_.ssi_signo));
                                  watch(heard);
                                });
  }

  /// From here on a signal does what it does by default.
  static void let_go() {
    const sigset_t signals = heard_signals();
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  }

 private:
  asio::posix::stream_descriptor descriptor_;
  signalfd_siginfo read_{};
};

}  // namespace

struct Control::Impl {
  Impl(ControlOptions its_options, const observe::Log& its_log, const Clock& its_clock,
       int event_descriptor, int signal_descriptor)
      : log(its_log),
        options(std::move(its_options)),
        clock(its_clock),
        room_manager(view, log, clock, options.make_room, options.rooms, options.state_directory),
        revocations(view, log, clock, options.ledger, options.state_directory),
        reloading(room_manager, log),
        signals(context, signal_descriptor),
        look_at_cores(context),
        each_second(context),
        doorbell(context, event_descriptor) {
    view.token = options.admin_token;
    view.hosts = options.admin_hosts;
    view.metrics = &metrics;
    revocations.set_options(options.auth);
    if (options.admin)
      admin.emplace(context, options.admin, view, metrics, room_manager, revocations, log, clock);
  }

  void run(std::span<const CoreHandle> cores, std::span<const RunningRoom> rooms,
           const std::function<void()>& serving) {
    view.cores = cores;
    view.rooms.assign(rooms.begin(), rooms.end());
    on_serving = serving;
    signals.watch([this](int signal) { heard(signal); });
    doorbell.watch([this] { read_mail(); });
    // Cores may have written before anybody watched.
    read_mail();
    keep_house();
    context.run();
  }

  void heard(int signal) {
    if (signal == SIGHUP && options.reload) return reload();
    end("signal", name_of(signal));
  }

  /// Asked for by `who`, which is a `what`.
  void end(std::string_view what, std::string_view who) {
    if (view.readiness != Readiness::draining) {
      log.write(observe::LogLevel::info, "shutting down", {{what, who}});
      view.readiness = Readiness::draining;
      reloading.give_up();
      room_manager.give_up();
      revocations.give_up();
      options.service_manager.stopping(options.shutdown_takes_at_most);
      drain_ends = clock.now() + options.drain_takes_at_most;
      mail_all(Shutdown{.code = options.shutdown_code,
                        .keep_rooms = options.state_directory != nullptr});
    } else {
      log.write(observe::LogLevel::warning, "shutting down at once", {{what, who}});
      mail_all(ShutdownNow{});
      if (options.hears_signals) SignalReader::let_go();
    }
  }

  void reload() {
    if (view.readiness == Readiness::draining) return;
    if (view.readiness == Readiness::starting || reloading.under_way()) {
      reload_again = true;
      return;
    }
    log.write(observe::LogLevel::info, "reading the configuration again", {{"signal", "SIGHUP"}});
    options.service_manager.reloading(clock.now());
    auto read = options.reload(view.rooms);
    if (!read) {
      log.write(observe::LogLevel::error,
                "not reloaded, and the server goes on as it was: " + read.error().message);
      return reload_over("serving; the last reload was refused: " + read.error().message);
    }
    options.drain_takes_at_most = read->drain_takes_at_most;
    options.shutdown_takes_at_most = read->shutdown_takes_at_most;
    view.hosts = read->admin_hosts;
    revocations.set_options(read->core.auth);
    if (view.token != read->admin_token) {
      view.token = read->admin_token;
      if (admin) admin->token_changed();
    }
    std::string status = "serving";
    if (!read->at_next_start.empty()) {
      status += fmt::format("; these hold from the next start on: {}",
                            fmt::join(read->at_next_start, ", "));
    }
    reloading.begin(std::move(*read), view.cores,
                    [this, status = std::move(status)] { reload_over(status); });
  }

  void reload_over(std::string_view status) {
    options.service_manager.ready(status);
    if (std::exchange(reload_again, false)) reload();
  }

  // Not inlined: GCC 12 would see parts of other alternatives that "may be used uninitialized".
  [[gnu::noinline]] static void mail(const CoreHandle& core, ControlToCore&& message) {
    const bool posted = core.to_core->push(std::move(message));
    assert(posted && "room changes leave room for two more mails");
    static_cast<void>(posted);
    core.doorbell->ring();
  }

  template <class Mail>
  void mail_all(const Mail& message) {
    for (const CoreHandle& core : view.cores) mail(core, message);
  }

  void read_mail() {
    for (const CoreHandle& core : view.cores) {
      while (core.notices != nullptr) {
        const auto notice = core.notices->pop();
        if (!notice) break;
        const auto index = static_cast<std::uint32_t>(&core - view.cores.data());
        log_notice(log, index, *notice, view.rooms);
      }
      while (const auto mail = core.from_core->pop()) {
        if (std::holds_alternative<Ready>(*mail)) {
          if (++ready == view.cores.size()) all_ready();
        } else if (const auto* changed = std::get_if<RoomChanged>(&*mail)) {
          room_manager.changed(changed->room);
        } else if (const auto* failed = std::get_if<RoomFailed>(&*mail)) {
          say_failed(static_cast<std::uint32_t>(&core - view.cores.data()), failed->failure);
          room_manager.failed(failed->failure.room);
        } else if (const auto* saved_room = std::get_if<RoomSaved>(&*mail)) {
          write_checkpoint(*saved_room->room);
        } else if (const auto* ends = std::get_if<RoomEnds>(&*mail)) {
          room_manager.ended(ends->room);
        } else if (std::holds_alternative<Reconfigured>(*mail)) {
          reloading.reconfigured();
        } else if (const auto* revoked = std::get_if<Revoked>(&*mail)) {
          revocations.revoked(*revoked);
        } else {
          if (core_watch) core_watch->forget(static_cast<std::uint32_t>(&core - view.cores.data()));
          save(std::get<Drained>(*mail));
          if (++drained == view.cores.size()) all_drained();
        }
      }
    }
  }

  void say_failed(std::uint32_t core, const FailedRoom& failed) {
    log.write(observe::LogLevel::error, "a room has failed: its simulation threw an exception",
              {{"core", std::int64_t{core}},
               {"room", room_name(failed.room, view.rooms)},
               {"tick", static_cast<std::int64_t>(failed.tick)},
               {"call", room::name_of(failed.call)},
               {"member", static_cast<std::int64_t>(failed.member)},
               {"what", failed.what}});
  }

  void all_ready() {
    on_serving();
    if (view.readiness == Readiness::starting) {
      view.readiness = Readiness::serving;
      options.service_manager.ready("serving");
      if (std::exchange(reload_again, false)) reload();
    }
    core_watch.emplace(view.cores, clock.now());
    look_later();
  }

  void look_later() {
    Nanoseconds interval = CoreWatch::interval_max;
    if (const auto timeout = options.service_manager.watchdog_timeout()) {
      interval = std::min<Nanoseconds>(interval, *timeout / looks_in_watchdog_timeout);
    }
    look_at_cores.expires_after(interval);
    look_at_cores.async_wait([this](error_code error) {
      if (error) return;
      look();
      look_later();
    });
  }

  void look() {
    if (core_watch->look(clock.now())) options.service_manager.alive();
    for (const StuckCore& core : core_watch->stuck()) {
      if (std::ranges::find(view.stuck, core.core, &StuckCore::core) == view.stuck.end()) {
        log.write(observe::LogLevel::error, core.text(view.rooms));
      }
    }
    for (const StuckCore& core : view.stuck) {
      if (!core_watch->is_stuck(core.core)) {
        log.write(observe::LogLevel::info, fmt::format("core {} turns again", core.core));
      }
    }
    view.stuck = core_watch->stuck();
    metrics.cores_stuck.set(view.stuck.size());
    if (view.readiness == Readiness::draining && clock.now() >= drain_ends) give_up_stuck();
  }

  // Cores wait for one another at their end, and one that is stuck will not answer.
  // One that turns again meanwhile has to do without those that have ended.
  void give_up_stuck() {
    if (!gave_up && view.stuck.empty()) return;
    gave_up = true;
    ends_alone.resize(view.cores.size());
    for (std::uint32_t core = 0; core < view.cores.size(); ++core) {
      if (core_watch->is_stuck(core) || core_watch->is_over(core) || ends_alone[core]) continue;
      ends_alone[core] = true;
      mail(view.cores[core], ShutdownNow{.without_peers = true});
    }
    if (!view.stuck.empty() && drained + view.stuck.size() >= view.cores.size()) abandon();
  }

  void keep_house() {
    log.catch_up();
    each_second.expires_after(std::chrono::seconds(1));
    each_second.async_wait([this](error_code error) {
      if (!error) keep_house();
    });
  }

  void abandon() {
    for (const StuckCore& stuck : view.stuck) {
      std::string lost;
      for (const RunningRoom& room : view.rooms) {
        if (room.core != stuck.core) continue;
        lost += fmt::format("{}{} ({} members)", lost.empty() ? "" : ", ", room.options->name,
                            room.metrics->members.value());
      }
      log.write(observe::LogLevel::error,
                fmt::format("{}: the server ends without it, and what these rooms had since they "
                            "were last saved is lost: {}",
                            stuck.text(view.rooms), lost.empty() ? "none" : lost));
    }
    saved = false;
    abandoned = true;
    context.stop();
  }

  /// What goes wrong is told once a room, until it is over.
  void write_checkpoint(const SavedRoom& room) {
    if (options.state_directory == nullptr || options.state_directory->is_left_alone(room.name)) {
      return;
    }
    const auto done = options.state_directory->save(room);
    if (done) {
      if (failing_checkpoints.erase(room.name) != 0) {
        log.write(observe::LogLevel::info, "checkpoints are written again", {{"room", room.name}});
      }
      return;
    }
    metrics.checkpoint_failures.add();
    if (failing_checkpoints.insert(room.name).second) {
      log.write(observe::LogLevel::error, "no checkpoint: " + done.error().message);
    }
  }

  void save(const Drained& mail) {
    for (const SavedRoom& room : mail.rooms) {
      // Disks may be slow, and this thread looks at no core meanwhile.
      options.service_manager.alive();
      if (const auto done = options.state_directory->save(room); !done) {
        saved = false;
        log.write(observe::LogLevel::error, done.error().message);
      } else {
        log.write(observe::LogLevel::info, "room saved",
                  {{"room", room.name},
                   {"members", static_cast<std::int64_t>(room.room.members.size())},
                   {"bytes", static_cast<std::int64_t>(room.room.state.size())}});
      }
    }
  }

  void all_drained() {
    log.write(observe::LogLevel::info, "drained");
    context.stop();
  }

  const observe::Log& log;
  ControlOptions options;
  bool saved = true;
  bool abandoned = false;
  bool gave_up = false;          ///< on cores that are stuck at a shutdown
  std::vector<bool> ends_alone;  ///< by core: has been told to end without the others
  Instant drain_ends = never;
  const Clock& clock;
  observe::ControlMetrics metrics;
  AdminView view;
  RoomManager room_manager;
  Revocations revocations;
  Reloading reloading;
  bool reload_again = false;  ///< asked for when it could not be
  std::function<void()> on_serving;
  std::set<std::string, std::less<>> failing_checkpoints;  ///< of which rooms
  std::size_t ready = 0;
  std::size_t drained = 0;
  asio::io_context context{1};
  SignalReader signals;
  std::optional<CoreWatch> core_watch;
  asio::steady_timer look_at_cores;
  asio::steady_timer each_second;
  ControlDoorbell doorbell;
  std::optional<AdminEndpoint> admin;
};

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Control::~Control() = default;

Result<std::unique_ptr<Control>> Control::create(ControlOptions options, const observe::Log& log,
                                                 const Clock& clock) {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) {
    return fail(std::string("cannot make the control thread's doorbell: ") + std::strerror(errno));
  }
  sigset_t signals;
  ::sigemptyset(&signals);
  if (options.hears_signals) {
    signals = heard_signals();
    // A blocked signal waits to be read, whichever moment it comes at.
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }
  const int signal_descriptor = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_descriptor < 0) {
    const int error = errno;
    ::close(descriptor);
    return fail(std::string("cannot make the control thread's signalfd: ") + std::strerror(error));
  }
  try {
    return std::unique_ptr<Control>(new Control(
        std::make_unique<Impl>(std::move(options), log, clock, descriptor, signal_descriptor)));
  } catch (const boost::system::system_error& error) {
    return fail(std::string("cannot set up the control thread: ") + error.what());
  }
}

void Control::hold_reloads() {
  sigset_t reloads;
  ::sigemptyset(&reloads);
  ::sigaddset(&reloads, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &reloads, nullptr);
}

namespace {

/// What an admin request would have been told, without its line's end.
Result<void> without_http(AdminAnswer answer) {
  if (answer.status < 300) return {};
  while (answer.body.ends_with('\n')) answer.body.pop_back();
  return fail(std::move(answer.body));
}

}  // namespace

void Control::stop() {
  asio::post(impl_->context, [this] { impl_->end("by", "the program"); });
}

void Control::open_room(std::string json, Answered answered) {
  asio::post(impl_->context, [this, json = std::move(json), answered = std::move(answered)] {
    impl_->room_manager.open(
        json, [answered](AdminAnswer answer) { answered(without_http(std::move(answer))); });
  });
}

void Control::close_room(std::string name, Answered answered) {
  asio::post(impl_->context, [this, name = std::move(name), answered = std::move(answered)] {
    impl_->room_manager.close(
        name, [answered](AdminAnswer answer) { answered(without_http(std::move(answer))); });
  });
}

bool Control::abandoned() const {
  return impl_->abandoned;
}

bool Control::saved() const {
  return impl_->saved;
}

io::Doorbell& Control::doorbell() {
  return impl_->doorbell;
}

void Control::run(std::span<const CoreHandle> cores, std::span<const RunningRoom> rooms,
                  const std::function<void()>& serving) {
  impl_->run(cores, rooms, serving);
}

}  // namespace ringcast::server
