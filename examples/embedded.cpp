// A program with a server inside: it says where it listens, opens a room, and serves until its
// standard input ends.
//
//   FLAGS=$(pkg-config --static --cflags --libs ringcast-no-allocator)
//   g++ -std=c++23 -O2 embedded.cpp button.cpp $FLAGS -o embedded
#include <ringcast/server.h>

#include <cstdio>
#include <iostream>

#include "button.h"

int main() {
  ringcast::ServerOptions options;
  options.simulations.emplace("button", example::make_button);
  options.configuration = R"(
listen = "127.0.0.1:0"
admin = "off"

[[room]]
name = "red"
simulation = "button"
parameters = { goal = 50 }
)";
  const auto server = ringcast::Server::start(options);
  if (!server) {
    std::cerr << server.error() << '\n';
    return 1;
  }
  const auto opened = (*server)->open_room(R"({"name": "blue", "simulation": "button"})");
  if (!opened) std::cerr << opened.error() << '\n';
  std::cout << (*server)->address() << std::endl;
  while (std::getchar() != EOF) {
  }
  return (*server)->stop() ? 0 : 1;
}
