// An embedded server: the control thread is a thread of its own, and what the program asks for is
// posted there.
#include "ringcast/server.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "app/command_line.h"
#include "app/serving.h"
#include "config/config.h"

namespace ringcast {
namespace {

class Embedded final : public Server {
 public:
  Embedded(config::Config config, SimulationRegistry simulations)
      : simulations_(std::move(simulations)),
        thread_([this, config = std::move(config)]() mutable { live(std::move(config)); }) {}
  ~Embedded() override { stop(); }

  /// Blocks until clients may come, or says why they can't.
  std::expected<void, std::string> has_begun() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return control_ != nullptr || over_; });
    if (control_ == nullptr) return std::unexpected(problem_);
    return {};
  }

  [[nodiscard]] std::string address() const override { return address_; }

  std::expected<void, std::string> open_room(std::string_view json) override {
    return ask([&](server::Control& control, server::Control::Answered answered) {
      control.open_room(std::string(json), std::move(answered));
    });
  }
  std::expected<void, std::string> close_room(std::string_view name) override {
    return ask([&](server::Control& control, server::Control::Answered answered) {
      control.close_room(std::string(name), std::move(answered));
    });
  }

  bool stop() override {
    {
      const std::scoped_lock lock(mutex_);
      if (control_ != nullptr && !std::exchange(stopping_, true)) control_->stop();
    }
    const std::scoped_lock joining(joining_);
    if (thread_.joinable()) thread_.join();
    return saved_;
  }

 private:
  void live(config::Config config) {
    const config::ConfigFlags no_flags;
    const app::Role role{.is_the_process = false,
                         .serving =
                             [this](server::Control& control, std::string_view address) {
                               const std::scoped_lock lock(mutex_);
                               address_ = address;
                               control_ = &control;
                               changed_.notify_all();
                             },
                         .ending =
                             [this] {
                               const std::scoped_lock lock(mutex_);
                               control_ = nullptr;
                             }};
    const auto served = app::serve_until_stopped(std::move(config), no_flags, simulations_, role);
    const std::scoped_lock lock(mutex_);
    if (!served) problem_ = served.error().error.message;
    saved_ = served && *served == app::exit_ok;
    over_ = true;
    changed_.notify_all();
  }

  /// Has the control thread do it. Who asks while it ends is answered all the same: its promise is
  /// broken when the control thread is gone.
  template <class Ask>
  std::expected<void, std::string> ask(Ask&& ask) {
    auto promise = std::make_shared<std::promise<Result<void>>>();
    std::future<Result<void>> answer = promise->get_future();
    {
      const std::scoped_lock lock(mutex_);
      if (control_ == nullptr || stopping_) return std::unexpected("The server has been stopped.");
      ask(*control_, [promise](Result<void> result) { promise->set_value(std::move(result)); });
    }
    promise.reset();
    try {
      const Result<void> result = answer.get();
      if (!result) return std::unexpected(result.error().message);
      return {};
    } catch (const std::future_error&) {
      return std::unexpected("The server has been stopped.");
    }
  }

  SimulationRegistry simulations_;
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  server::Control* control_ = nullptr;  ///< while it takes questions
  std::string address_;
  std::string problem_;
  bool stopping_ = false;
  bool saved_ = false;
  bool over_ = false;
  std::mutex joining_;
  std::thread thread_;  // the last, so that all else is there when it begins
};

}  // namespace

std::expected<std::unique_ptr<Server>, std::string> Server::start(const ServerOptions& options) {
  auto config = config::parse_config(options.configuration, {}, options.simulations);
  if (!config) return std::unexpected(config.error().message);
  auto server = std::make_unique<Embedded>(std::move(*config), options.simulations);
  if (const auto begun = server->has_begun(); !begun) return std::unexpected(begun.error());
  return server;
}

}  // namespace ringcast
