#include "auth/fault.h"

#include <utility>

namespace ringcast::auth {
namespace {

struct Row {
  std::string_view word;
  std::string_view sentence;
};

constexpr std::array<Row, faults> rows{{
    {"missing", "A token is asked for here."},
    {"several", "There is more than one token."},
    {"too_long", "The token is too long."},
    {"malformed", "The token is not a JSON Web Token."},
    {"algorithm", "The token's algorithm is not one that is taken here."},
    {"key", "The token's key is not known here."},
    {"signature", "The token's signature is not good."},
    {"claims", "The token has not the claims that it needs."},
    {"issuer", "The token is of another issuer."},
    {"audience", "The token is for another audience."},
    {"expired", "The token has expired."},
    {"not_yet_valid", "The token is not valid yet."},
    {"lifetime", "The token is good for longer than a token may be."},
    {"room", "The token does not open this room."},
    {"subject", "The token is somebody else's."},
    {"used", "The token has been used."},
    {"revoked", "The token has been revoked."},
    {"overloaded", "The server can take no more tokens at the moment."},
}};

}  // namespace

std::string_view word(Fault fault) {
  return rows.at(std::to_underlying(fault)).word;
}

std::string_view sentence(Fault fault) {
  return rows.at(std::to_underlying(fault)).sentence;
}

}  // namespace ringcast::auth
