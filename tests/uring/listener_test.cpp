#include "uring/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "catch.h"
#include "uring/child_process.h"

namespace ringcast::uring {
namespace {

/// Closes at the end of the test.
class Listener {
 public:
  explicit Listener(io::Socket socket) : socket_(socket) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(socket_.descriptor); }
  [[nodiscard]] int descriptor() const { return socket_.descriptor; }
  [[nodiscard]] std::string address() const { return local_address(socket_).value(); }

 private:
  io::Socket socket_;
};

io::Socket must_listen(const std::string& address, const ListenOptions& options = {}) {
  const Result<io::Socket> socket = listen(address, options);
  INFO(address << ": " << (socket ? "" : socket.error().message));
  REQUIRE(socket);
  return *socket;
}

int option_of(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(descriptor, level, name, &value, &size) == 0);
  return value;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an IPv4 and an IPv6 address are listened on as they are written") {
  const Listener ipv4(must_listen("127.0.0.1:0"));
  REQUIRE(ipv4.address().starts_with("127.0.0.1:"));
  const Listener ipv6(must_listen("[::1]:0"));
  REQUIRE(ipv6.address().starts_with("[::1]:"));
}

TEST_CASE("a port alone is every address of both families") {
  const Listener listener(must_listen(":0"));
  const std::string address = listener.address();
  REQUIRE(address.starts_with("[::]:"));
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(5))));
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Listener client(io::Socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)});
  REQUIRE(::connect(client.descriptor(), reinterpret_cast<const sockaddr*>(&ipv4), sizeof ipv4) ==
          0);
}

TEST_CASE("what is not an address is named with an example of one") {
  for (const std::string address :
       {"", "127.0.0.1", "localhost:9000", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1",
        "127.0.0.1:90x", "::1:9000", "[::1:9000", "[]:9000", "[::1]9000", "1.2.3:80"}) {
    const Result<io::Socket> socket = listen(address, {});
    INFO(address);
    REQUIRE_FALSE(socket);
    REQUIRE(socket.error().message.starts_with("'" + address + "'"));
    REQUIRE(contains(socket.error().message, "127.0.0.1:9000"));
  }
}

TEST_CASE("an address in use is one sentence that says so") {
  const Listener first(must_listen("127.0.0.1:0"));
  const Result<io::Socket> second = listen(first.address(), {});
  REQUIRE_FALSE(second);
  REQUIRE(second.error().message.starts_with(first.address() + " is in use; "));
}

TEST_CASE("listeners that reuse the port share an address") {
  const ListenOptions shared{.reuse_port = true};
  const Listener first(must_listen("127.0.0.1:0", shared));
  const Listener second(must_listen(first.address(), shared));
  REQUIRE(first.address() == second.address());
}

TEST_CASE("an address of another machine is one sentence that says so") {
  const Result<io::Socket> socket = listen("192.0.2.1:9000", {});
  REQUIRE_FALSE(socket);
  REQUIRE(contains(socket.error().message, "not an address of this machine"));
}

TEST_CASE("a listener has the options that its sockets inherit") {
  const Listener listener(must_listen("127.0.0.1:0", {.not_sent_bytes_max = 12'345}));
  REQUIRE(option_of(listener.descriptor(), IPPROTO_TCP, TCP_NODELAY) != 0);
  REQUIRE(option_of(listener.descriptor(), IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 12'345);
  REQUIRE(option_of(listener.descriptor(), SOL_SOCKET, SO_REUSEPORT) == 0);
  REQUIRE((::fcntl(listener.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
  REQUIRE((::fcntl(listener.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

// In a child: puts `descriptor` where a service manager would, and adopts it.
template <class Check>
int adopt_in_child(int descriptor, Check&& check) {
  return in_child([&] {
    ::dup2(descriptor, 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    const auto adopted = adopt_listeners({.not_sent_bytes_max = 4'321});
    return check(adopted) && std::getenv("LISTEN_FDS") == nullptr ? 0 : 1;
  });
}

using Adopted = Result<std::vector<io::Socket>>;

TEST_CASE("a listening socket handed in is adopted with its options set") {
  const Listener listener(io::Socket{::socket(AF_INET, SOCK_STREAM, 0)});
  REQUIRE(::listen(listener.descriptor(), 10) == 0);
  REQUIRE(adopt_in_child(listener.descriptor(), [](const Adopted& adopted) {
            return adopted && *adopted == std::vector<io::Socket>{io::Socket{3}} &&
                   option_of(3, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 4'321 &&
                   (::fcntl(3, F_GETFL) & O_NONBLOCK) != 0 &&
                   (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0;
          }) == 0);
}

TEST_CASE("what is handed in and cannot be served is one sentence that says why") {
  const Listener datagrams(io::Socket{::socket(AF_INET, SOCK_DGRAM, 0)});
  REQUIRE(adopt_in_child(datagrams.descriptor(), [](const Adopted& adopted) {
            return !adopted && contains(adopted.error().message, "descriptor 3") &&
                   contains(adopted.error().message, "not a TCP socket");
          }) == 0);
  const Listener not_listening(io::Socket{::socket(AF_INET, SOCK_STREAM, 0)});
  REQUIRE(adopt_in_child(not_listening.descriptor(), [](const Adopted& adopted) {
            return !adopted && contains(adopted.error().message, "not listening");
          }) == 0);
}

TEST_CASE("descriptors for another process are left alone") {
  REQUIRE(in_child([] {
            ::setenv("LISTEN_PID", std::to_string(::getpid() + 1).c_str(), 1);
            ::setenv("LISTEN_FDS", "1", 1);
            const auto adopted = adopt_listeners({});
            return adopted && adopted->empty() ? 0 : 1;
          }) == 0);
  REQUIRE(in_child([] {
            const auto adopted = adopt_listeners({});
            return adopted && adopted->empty() ? 0 : 1;
          }) == 0);
}

}  // namespace
}  // namespace ringcast::uring
