#include "core/link_share.h"

#include <list>
#include <memory>
#include <vector>

#include "catch.h"

namespace ringcast::server {
namespace {

constexpr std::uint64_t link_bits_per_s = 8'000'000;

/// Cores as they see each other.
class Cores {
 public:
  explicit Cores(std::size_t count) {
    for (std::size_t core = 0; core < count; ++core) {
      metrics_.push_back(std::make_unique<observe::CoreMetrics>());
    }
  }
  /// So much more has been due on a core.
  void due(std::size_t core, std::uint64_t bytes) {
    (*metrics_[core])[observe::Count::link_bytes_due].add(bytes);
  }
  [[nodiscard]] LinkShare share_of(std::size_t own) {
    std::vector<CorePeer>& peers = peers_.emplace_back(metrics_.size());
    for (std::size_t core = 0; core < peers.size(); ++core) {
      if (core != own) peers[core].metrics = metrics_[core].get();
    }
    if (metrics_.size() == 1) peers.clear();
    return {*metrics_[own], peers};
  }

 private:
  std::vector<std::unique_ptr<observe::CoreMetrics>> metrics_;
  std::list<std::vector<CorePeer>> peers_;
};

/// Of the link, after another look.
double part(LinkShare& share) {
  share.look();
  return share.bytes_per_s(link_bits_per_s) / 1e6;
}

TEST_CASE("one core has all of the link") {
  Cores cores(1);
  LinkShare share = cores.share_of(0);
  CHECK(share.bytes_per_s(link_bits_per_s) == 1e6);
  cores.due(0, 5);
  CHECK(part(share) == 1);
  CHECK(share.bytes_per_s(0) == 0);
}

TEST_CASE("cores have parts of the link as of what was due since the last look") {
  Cores cores(2);
  LinkShare share = cores.share_of(0);
  CHECK(share.bytes_per_s(link_bits_per_s) == 0.5e6);  // before the first
  CHECK(part(share) == 0.5);
  cores.due(0, 1'000);
  cores.due(1, 1'000);
  CHECK(part(share) == 0.5);
  cores.due(0, 900);
  cores.due(1, 100);
  CHECK(part(share) > 0.85);
  cores.due(1, 100'000);
  CHECK(part(share) > 0.01);
  CHECK(part(share) == 0.5);  // nothing since
}

TEST_CASE("the parts of all cores are the link") {
  Cores cores(3);
  std::vector<LinkShare> shares;
  for (std::size_t core = 0; core < 3; ++core) shares.push_back(cores.share_of(core));
  cores.due(0, 700);
  cores.due(2, 100);
  double sum = 0;
  for (LinkShare& share : shares) sum += part(share);
  CHECK(sum == Approx(1));
}

TEST_CASE("many cores with nothing to send leave the link to those that have") {
  Cores cores(64);
  LinkShare busy = cores.share_of(0);
  LinkShare idle = cores.share_of(1);
  cores.due(0, 1'000'000);
  CHECK(part(busy) > 0.9);
  CHECK(part(idle) > 0);
}

}  // namespace
}  // namespace ringcast::server
