#include "load/load.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <chrono>
#include <vector>

#include "load/connection.h"
#include "load/run.h"
#include "load/sources.h"
#include "load/target.h"

namespace ringcast::load {
namespace {

/// More would be a schedule that this program can't keep.
constexpr double inputs_per_s_max = 1'000;
constexpr double drops_per_s_max = 10'000;

/// For one of several addresses to answer, before the next is tried.
constexpr Nanoseconds address_patience = std::chrono::seconds(3);

/// The address that all clients connect to.
Result<Address> target_of(const Url& url, const LoadOptions& options) {
  auto addresses = resolve(url);
  if (!addresses) return std::unexpected(addresses.error());
  if (!options.from.empty()) {
    std::erase_if(*addresses,
                  [](const Address& address) { return address.storage.ss_family != AF_INET; });
  }
  if (addresses->empty()) {
    return fail(fmt::format("{} has no IPv4 address, and clients can come from \"{}\" to IPv4 only",
                            url.host, options.from));
  }
  auto chosen = choose(*addresses, address_patience);
  if (chosen) return chosen;
  return fail(fmt::format("no address of {} answers: {}", url.host, chosen.error().message));
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

}  // namespace

double LoadReport::frames_per_s() const {
  return ratio(static_cast<double>(frames), seconds);
}
double LoadReport::bytes_per_s() const {
  return ratio(static_cast<double>(bytes), seconds);
}
std::optional<double> LoadReport::delivered_ratio() const {
  const auto due = static_cast<double>(delivered + ticks_missed);
  if (due == 0) return std::nullopt;
  return static_cast<double>(delivered) / due;
}

Result<void> check(const LoadOptions& options) {
  if (options.clients == 0 || options.clients > io::Token::slot_max) {
    return fail(fmt::format("the number of clients is from 1 to {}", io::Token::slot_max));
  }
  if (options.slow > options.clients) return fail("more slow clients than clients");
  if (options.slow_for > Nanoseconds::zero() && options.slow_after == Nanoseconds::zero()) {
    return fail("who reads slowly for a while reads like all others in between: say for how long");
  }
  if (options.slow > 0 && options.slow_bytes_per_s == 0) {
    return fail("slow clients read at least 1 byte/s");
  }
  if (options.read_one_in == 0) return fail("one client in at least 1 reads whole frames");
  if (options.joins_per_s == 0) return fail("joins are at least 1/s");
  if (options.seconds == 0) return fail("the window is at least 1 s long");
  if (!(options.inputs_per_s >= 0 && options.inputs_per_s <= inputs_per_s_max)) {
    return fail(fmt::format("inputs are from 0 to {}/s", inputs_per_s_max));
  }
  if (!(options.drops_per_s >= 0 && options.drops_per_s <= drops_per_s_max)) {
    return fail(fmt::format("drops are from 0 to {}/s", drops_per_s_max));
  }
  if (const auto url = parse_url(options.url); !url) return std::unexpected(url.error());
  if (options.from.empty()) return {};
  const auto sources = parse_sources(options.from);
  if (!sources) return std::unexpected(sources.error());
  if (options.clients > std::uint64_t{sources->count} * clients_per_source) {
    return fail(
        fmt::format("{} clients need more ports than \"{}\" has: one address for each {} clients",
                    options.clients, options.from, clients_per_source));
  }
  return {};
}

Result<LoadReport> run_load(io::Io& io, const Clock& clock, const LoadOptions& options,
                            const ProgressLine& progress, const std::atomic<bool>& stop) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  const Url url = *parse_url(options.url);  // which has been checked
  const auto address = target_of(url, options);
  if (!address) return std::unexpected(address.error());
  if (auto room = make_room_for(options.clients); !room) return std::unexpected(room.error());
  LoadReport report = Run(io, clock, options, url, *address, progress, stop).run();
  if (stop && report.seconds == 0) return fail("stopped before the window began");
  if (report.joined == 0) {
    return fail(fmt::format("no client could join {}: {}", options.url, report.join_error));
  }
  return report;
}

}  // namespace ringcast::load
