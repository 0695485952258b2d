// The admin endpoint: health, readiness, metrics and rooms over HTTP, on the control thread.
// What is answered is a function; the connections around it are Boost.Beast's. One request a
// connection, with bounds on its size, its time and the number of connections.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/io.h"
#include "server/handles.h"

namespace boost::asio {
class io_context;
}

namespace ringcast::server {

enum class Readiness : std::uint8_t { starting, serving, draining };

/// What is told about.
struct AdminView {
  Readiness readiness = Readiness::starting;
  std::span<const CoreHandle> cores;
  std::span<const RoomHandle> rooms;
};

struct AdminAnswer {
  std::uint16_t status;  ///< 405 comes with Allow: GET, HEAD
  std::string_view content_type;
  std::string body;
};

/// `target` as in the request line; a query is ignored.
[[nodiscard]] AdminAnswer answer(std::string_view method, std::string_view target,
                                 const AdminView& view);

class AdminEndpoint {
 public:
  static constexpr std::uint32_t connections_max =
      32;  ///< another takes the place of the longest silent
  static constexpr std::uint32_t header_bytes_max = 8'192;
  static constexpr auto request_timeout = std::chrono::seconds(5);  ///< to read it, to answer it

  /// Serves from now on, whenever `context` runs. Takes `listener`, a listening socket. `view` is
  /// read at each request and outlives the endpoint.
  AdminEndpoint(boost::asio::io_context& context, io::Socket listener, const AdminView& view);
  ~AdminEndpoint();
  AdminEndpoint(const AdminEndpoint&) = delete;
  AdminEndpoint& operator=(const AdminEndpoint&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringcast::server
