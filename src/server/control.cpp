#include "server/control.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "server/admin.h"
#include "server/notice_log.h"

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

}  // namespace

struct Control::Impl {
  Impl(ControlOptions its_options, const observe::Log& its_log, const Clock& clock,
       int event_descriptor)
      : log(its_log),
        options(std::move(its_options)),
        live_rooms(view, clock, options.make_room, options.rooms_max, options.state_directory),
        signals(context, SIGTERM, SIGINT),
        doorbell(context, event_descriptor) {
    if (options.admin) admin.emplace(context, options.admin, view, live_rooms, clock);
  }

  void run(std::span<const CoreHandle> cores, std::span<const RoomHandle> rooms,
           const std::function<void()>& serving) {
    view.cores = cores;
    view.rooms.assign(rooms.begin(), rooms.end());
    on_serving = serving;
    hear_signals();
    doorbell.watch([this] { read_mail(); });
    // Cores may have written before anybody watched.
    read_mail();
    context.run();
  }

  void hear_signals() {
    signals.async_wait([this](error_code error, int signal) {
      if (!error) heard(signal);
    });
  }

  void heard(int signal) {
    const std::string_view name = signal == SIGTERM ? "SIGTERM" : "SIGINT";
    if (view.readiness != Readiness::draining) {
      log.write(observe::LogLevel::info, "shutting down", {{"signal", name}});
      view.readiness = Readiness::draining;
      live_rooms.give_up();
      mail_all(Shutdown{.code = options.shutdown_code, .resume_key = resume_key()});
      hear_signals();
    } else {
      log.write(observe::LogLevel::warning, "shutting down at once", {{"signal", name}});
      mail_all(ShutdownNow{});
      error_code ignored;
      // The next signal does what it does by default.
      signals.clear(ignored);
    }
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
          live_rooms.changed(changed->room);
        } else {
          save(std::get<Drained>(*mail));
          if (++drained == view.cores.size()) all_drained();
        }
      }
    }
  }

  void all_ready() {
    on_serving();
    if (view.readiness == Readiness::starting) view.readiness = Readiness::serving;
  }

  std::optional<ResumeKey> resume_key() {
    if (options.state_directory == nullptr) return std::nullopt;
    const auto key = make_resume_key();
    if (!key) {
      saved = false;
      log.write(observe::LogLevel::error, "rooms are not saved: the kernel gives no random key");
    }
    return key;
  }

  void save(const Drained& mail) {
    for (const SavedRoom& room : mail.rooms) {
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
  AdminView view;
  LiveRooms live_rooms;
  std::function<void()> on_serving;
  std::size_t ready = 0;
  std::size_t drained = 0;
  asio::io_context context{1};
  asio::signal_set signals;
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
  try {
    return std::unique_ptr<Control>(
        new Control(std::make_unique<Impl>(std::move(options), log, clock, descriptor)));
  } catch (const boost::system::system_error& error) {
    return fail(std::string("cannot set up the control thread: ") + error.what());
  }
}

bool Control::saved() const {
  return impl_->saved;
}

io::Doorbell& Control::doorbell() {
  return impl_->doorbell;
}

void Control::run(std::span<const CoreHandle> cores, std::span<const RoomHandle> rooms,
                  const std::function<void()>& serving) {
  impl_->run(cores, rooms, serving);
}

}  // namespace ringcast::server
