// A plain blocking client socket to an address of the form 127.0.0.1:PORT.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "catch.h"

namespace ringcast {

inline int connect_to(std::string_view address) {
  const std::string port(address.substr(address.rfind(':') + 1));
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(client >= 0);
  REQUIRE(::connect(client, reinterpret_cast<const sockaddr*>(&target), sizeof(target)) == 0);
  return client;
}

}  // namespace ringcast
