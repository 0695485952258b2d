// A room server as people write it with Boost.Beast when they care: the library upgrades and reads,
// each tick's snapshot is marshaled and framed once into a shared buffer, and async_write on the
// socket below the WebSocket stream sends it to every client, the newest only. It speaks
// ringcast.v1 as far as `ringcast load` needs.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "floor/snapshot.h"

namespace ringcast::peers {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Error = boost::system::error_code;
using tcp = asio::ip::tcp;
using Shared = std::shared_ptr<const std::string>;

struct Options {
  std::string listen = "127.0.0.1:9100";
  std::uint32_t rate_hz = 60;
  std::uint32_t frame_bytes = 0;
  std::uint32_t seconds = 60;
};

class Room;

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(tcp::socket socket, Room& room) : stream_(std::move(socket)), room_(room) {}

  void run() {
    stream_.next_layer().set_option(tcp::no_delay(true));
    stream_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(beast::http::field::sec_websocket_protocol, "ringcast.v1");
    }));
    stream_.async_accept([self = shared_from_this()](Error error) {
      if (!error) self->join();
    });
  }

  void send(const Shared& frame) {
    if (writing_) {
      waiting_ = frame;
    } else {
      write(frame);
    }
  }

 private:
  void join();
  void leave();

  void read() {
    stream_.async_read(received_, [self = shared_from_this()](Error error, std::size_t) {
      if (error) return self->leave();
      self->received_.consume(self->received_.size());
      self->read();
    });
  }

  void write(const Shared& frame) {
    writing_ = true;
    asio::async_write(stream_.next_layer(), asio::buffer(*frame),
                      [self = shared_from_this(), frame](Error error, std::size_t) {
                        self->writing_ = false;
                        if (!error && self->waiting_)
                          self->write(std::exchange(self->waiting_, {}));
                      });
  }

  websocket::stream<tcp::socket> stream_;
  Room& room_;
  beast::flat_buffer received_;
  Shared waiting_;
  bool writing_ = false;
};

class Room {
 public:
  Room(asio::io_context& context, const Options& options)
      : source_(objects, options.frame_bytes, options.rate_hz),
        timer_(context, std::chrono::steady_clock::now()),
        period_(1'000'000'000 / options.rate_hz) {
    tick();
  }

  void join(const std::shared_ptr<Client>& client) {
    client->send(std::make_shared<const std::string>(source_.welcome(clock_.unix_now())));
    clients_.insert(client);
  }
  void leave(const std::shared_ptr<Client>& client) { clients_.erase(client); }

 private:
  static constexpr std::uint32_t objects = 50;

  void tick() {
    const auto frame = std::make_shared<const std::string>(source_.next(clock_.unix_now()));
    for (const auto& client : clients_) client->send(frame);
    // An absolute schedule; ticks whose time has passed are left out.
    auto due = timer_.expiry();
    do due += period_;
    while (due <= std::chrono::steady_clock::now());
    timer_.expires_at(due);
    timer_.async_wait([this](Error error) {
      if (!error) tick();
    });
  }

  SystemClock clock_;
  floor::SnapshotSource source_;
  asio::steady_timer timer_;
  std::chrono::nanoseconds period_;
  std::unordered_set<std::shared_ptr<Client>> clients_;
};

void Client::join() {
  room_.join(shared_from_this());
  read();
}

void Client::leave() {
  room_.leave(shared_from_this());
}

void accept(tcp::acceptor& acceptor, Room& room) {
  acceptor.async_accept([&acceptor, &room](Error error, tcp::socket socket) {
    if (!error) std::make_shared<Client>(std::move(socket), room)->run();
    if (acceptor.is_open()) accept(acceptor, room);
  });
}

void run(const Options& options) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  asio::io_context context(1);
  const auto colon = options.listen.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::atoi(options.listen.c_str() + colon + 1));
  tcp::acceptor acceptor(context, {asio::ip::make_address(options.listen.substr(0, colon)), port});
  Room room(context, options);
  accept(acceptor, room);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&context](Error, int) { context.stop(); });
  context.run_for(std::chrono::seconds(options.seconds));
}

}  // namespace
}  // namespace ringcast::peers

int main(int argc, char** argv) try {
  ringcast::peers::Options options;
  CLI::App app{"A room server on Boost.Beast"};
  app.add_option("--listen", options.listen, "ADDRESS:PORT");
  app.add_option("--rate-hz", options.rate_hz)->check(CLI::Range(1, 240));
  app.add_option("--bytes", options.frame_bytes, "pads or cuts frames to this; 0: as they are");
  app.add_option("--seconds", options.seconds, "ends after this long at the latest");
  CLI11_PARSE(app, argc, argv);
  ringcast::peers::run(options);
} catch (const std::exception& failure) {
  std::fputs(failure.what(), stderr);
  return 2;
}
