#include "observe/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.h"

namespace ringcast::observe {
namespace {

TEST_CASE("buckets follow one another without a gap and every value falls into its own") {
  for (std::size_t bucket = 0; bucket + 1 < Histogram::buckets; ++bucket) {
    const std::uint64_t last = Histogram::upper_bound(bucket);
    REQUIRE(Histogram::index(last) == bucket);
    REQUIRE(Histogram::index(last + 1) == bucket + 1);
  }
  REQUIRE(Histogram::upper_bound(Histogram::buckets - 1) == INT64_MAX);
}

TEST_CASE("a quantile is at least the truth and at most a sixteenth above it") {
  Prng random(7);
  for (int round = 0; round < 50; ++round) {
    Histogram histogram;
    std::vector<std::uint64_t> values(1 + random.below(400));
    for (auto& value : values) {
      value =
          (random.next() >> 30) >> random.below(12);  // of so few magnitudes that each has a row
      histogram.record(Nanoseconds(static_cast<std::int64_t>(value)));
    }
    std::sort(values.begin(), values.end());
    for (const double q : {0.001, 0.5, 0.9, 0.99, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
      const std::uint64_t truth = values[rank - 1];
      const std::uint64_t reported = histogram.quantile(q);
      INFO("round " << round << " q " << q << " truth " << truth);
      REQUIRE(reported >= truth);
      REQUIRE(reported - truth <= truth / 16);
    }
  }
}

TEST_CASE("an empty histogram has quantile 0 and a negative duration counts as 0") {
  Histogram histogram;
  REQUIRE(histogram.quantile(0.99) == 0);
  histogram.record(Nanoseconds(-5));
  REQUIRE(histogram.count() == 1);
  REQUIRE(histogram.sum() == 0);
  REQUIRE(histogram.quantile(1) == 0);
}

TEST_CASE("counting up to a value never counts what is above it") {
  Prng random(11);
  Histogram histogram;
  std::vector<std::uint64_t> values(500);
  for (auto& value : values) {
    value = random.below(1'000'000);
    histogram.record(Nanoseconds(static_cast<std::int64_t>(value)));
  }
  for (std::uint64_t limit = 0; limit < 1'100'000; limit += 9'973) {
    const auto at_most = [&](std::uint64_t bound) {
      return static_cast<std::uint64_t>(std::count_if(
          values.begin(), values.end(), [&](std::uint64_t value) { return value <= bound; }));
    };
    REQUIRE(histogram.count_up_to(limit) <= at_most(limit));
    REQUIRE(histogram.count_up_to(limit) >= at_most(limit - limit / 16));
  }
  REQUIRE(histogram.count_up_to(INT64_MAX) == histogram.count());
}

TEST_CASE("every counter and level has a row of its own and families stand together") {
  std::set<std::string> families;
  std::set<std::string> series;
  std::string family;
  const auto check = [&](const MetricRow& row, bool counter) {
    INFO(row.name);
    REQUIRE_FALSE(row.name.empty());
    REQUIRE(row.name.ends_with("_total") == counter);
    REQUIRE(series.insert(std::string(row.name) + "{" + std::string(row.label) + "}").second);
    if (row.name != family) {
      REQUIRE(families.insert(std::string(row.name)).second);
      REQUIRE_FALSE(row.help.empty());
    }
    family = row.name;
  };
  for (std::size_t at = 0; at < static_cast<std::size_t>(Count::end); ++at) {
    check(row(static_cast<Count>(at)), true);
  }
  for (std::size_t at = 0; at < static_cast<std::size_t>(Level::end); ++at) {
    check(row(static_cast<Level>(at)), false);
  }
}

TEST_CASE("a histogram has rows for 24 magnitudes, and loses nothing that is beyond them") {
  Histogram histogram;
  for (int magnitude = 4; magnitude < 28; ++magnitude) {
    histogram.record(Nanoseconds(std::int64_t{1} << magnitude));
  }
  CHECK(histogram.count() == 24);
  CHECK(histogram.quantile(1.0) == Histogram::upper_bound(Histogram::index(1 << 27)));
  histogram.record(std::chrono::hours(1));
  histogram.record(Nanoseconds(0));
  CHECK(histogram.count() == 26);
  // At the nearest end of what there is.
  CHECK(histogram.quantile(1.0) == (1 << 28) - 1);
  CHECK(histogram.quantile(0.01) == 16);
  CHECK(sizeof(Histogram) <= 3'300);
}

}  // namespace
}  // namespace ringcast::observe
