// Any bytes as a request. The first byte of the input says where the reads are cut. Properties: a
// split changes nothing; what is accepted is what the rules allow and means the same written
// plainly; every answer is one HTTP head; an origin is allowed by an entry that is equal to it.
#include "ws/upgrade.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "base/room_name.h"
#include "fuzz.h"
#include "ws/origin.h"
#include "ws/request_target.h"

namespace ringcast::ws {
namespace {

using fuzz::require;
using State = UpgradeParser::State;

constexpr std::size_t header_bytes_max = 1'024;

/// Everything that a parser can be asked, in one string.
std::string told(const UpgradeParser& parser, State state) {
  std::string all = std::to_string(static_cast<int>(state)) + '|';
  switch (state) {
    case State::need_more:
      break;
    case State::upgrade: {
      const UpgradeRequest& request = parser.upgrade();
      all += request.room + '|' + request.query + '|' + request.origin + '|' + request.key + '|' +
             (request.offers_subprotocols ? 's' : '-') + (request.offers_ringcast ? 'r' : '-');
      break;
    }
    case State::page:
      all += parser.page().path + '|' + (parser.asks_head_only() ? 'h' : '-');
      break;
    case State::refused:
      all.append(parser.refusal().reason);
      break;
  }
  return all;
}

/// A head that ends where it says, with no line that a value of the request has smuggled in.
void require_head(const std::string& response, std::size_t lines_max) {
  require(response.starts_with("HTTP/1.1 "), "an answer begins with a status line");
  const std::size_t end = response.find("\r\n\r\n");
  require(end != std::string::npos, "an answer has a whole head");
  require(std::count(response.begin(), response.begin() + static_cast<std::ptrdiff_t>(end), '\n') <
              static_cast<std::ptrdiff_t>(lines_max),
          "an answer has no more lines than it should");
}

/// However it was asked for: a room by its plain name, an origin by an entry that is equal to it.
void require_meaning(const UpgradeRequest& request) {
  const auto plain = parse_target("/rooms/" + request.room + '?' + request.query);
  require(plain && plain->path == "/rooms/" + request.room && plain->query == request.query,
          "a target written plainly means the same");
  const auto entry = AllowedOrigin::parse(request.origin);
  require(!entry || request.origin.find('*') != std::string::npos ||
              origin_allowed(request.origin, request.host, std::array{*entry}),
          "an origin is allowed by itself");
}

void require_allowed(const UpgradeParser& parser, State state) {
  require(parser.bytes_taken() <= header_bytes_max, "a head is within the limit");
  if (state == State::upgrade) {
    const UpgradeRequest& request = parser.upgrade();
    require(is_room_name(request.room), "a room's name is one");
    require(request.query.find('#') == std::string::npos, "a fragment is never sent");
    require_meaning(request);
    require(request.key.size() == 24, "a key is 16 bytes in base64");
    require(request.offers_subprotocols || !request.offers_ringcast, "ringcast.v1 is an offer");
    require_head(switching_protocols(request, true), 5);
  } else if (state == State::page) {
    require(parser.page().path.starts_with('/'), "a page's path begins with a slash");
    require(!parser.page().path.starts_with("/rooms/"), "a room is no page");
    require(parser.page().path.find_first_of(std::string_view("\0\r\n? ", 5)) == std::string::npos,
            "a path is a path");
  } else if (state == State::refused) {
    const std::string answer = refusal_response(parser.refusal(), parser.asks_head_only(), 0);
    require_head(answer, 9);
    require(answer.find("\r\nDate: ") != std::string::npos, "an answer has a date");
    require(answer.ends_with("\r\n\r\n") == parser.asks_head_only(), "a HEAD has no body");
  }
}

void run(std::span<const std::byte> input) {
  const std::size_t piece_bytes = 1 + fuzz::take_byte(input);

  UpgradeParser whole(header_bytes_max);
  const State expected = whole.feed(input);
  require_allowed(whole, expected);

  UpgradeParser parser(header_bytes_max);
  State state = State::need_more;
  std::size_t fed = 0;
  while (fed < input.size() && state == State::need_more) {
    const std::size_t size = std::min(piece_bytes, input.size() - fed);
    state = parser.feed(input.subspan(fed, size));
    fed += size;
  }
  require(told(parser, state) == told(whole, expected), "a split changes nothing");
  require(parser.bytes_taken() == whole.bytes_taken(), "a split does not move the head's end");
  require(parser.bytes_taken() + parser.leftover().size() == fed, "no byte is lost");
}

}  // namespace
}  // namespace ringcast::ws

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringcast::ws::run(std::as_bytes(std::span(data, size)));
  return 0;
}
