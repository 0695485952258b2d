// What is counted, and how: the window, the clock's offset, the histogram, the report.
#include "load/measurement.h"

#include <algorithm>
#include <vector>

#include "base/prng.h"
#include "catch.h"
#include "load/clock_offset.h"

namespace ringcast::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant start{seconds(100)};

TEST_CASE("a quantile is at most 1.6% above the truth and never above the maximum") {
  Prng prng(3);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int count = 0; count < 20'000; ++count) {
    values.push_back(prng.below(std::uint64_t{1} << (4 + prng.below(34))));
    histogram.record(Nanoseconds{static_cast<std::int64_t>(values.back())});
  }
  std::ranges::sort(values);
  for (const double q : {0.001, 0.25, 0.5, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    const auto truth = static_cast<double>(values[rank - 1]);
    const auto told = static_cast<double>(histogram.quantile(q));
    CHECK(told >= truth);
    CHECK(told <= truth * 1.016);
  }
  CHECK(histogram.max() == values.back());
  CHECK(histogram.count() == values.size());
}

TEST_CASE("every value falls into a bucket whose bound is the nearest one above") {
  for (std::uint64_t value = 0; value < 100'000; ++value) {
    const std::size_t bucket = Histogram::index(value);
    REQUIRE(Histogram::upper_bound(bucket) >= value);
    if (bucket > 0) REQUIRE(Histogram::upper_bound(bucket - 1) < value);
  }
}

TEST_CASE("a histogram takes durations below zero and above its range") {
  Histogram histogram;
  CHECK(histogram.quantile(0.5) == 0);
  histogram.record(Nanoseconds{-5});
  CHECK(histogram.quantile(1) == 0);
  histogram.record(std::chrono::hours(2));
  CHECK(histogram.quantile(1) <= histogram.max());
  CHECK(histogram.max() == static_cast<std::uint64_t>(Nanoseconds(std::chrono::hours(2)).count()));
}

TEST_CASE("the offset is that of the shortest round trip") {
  ClockOffset offset;
  CHECK(offset.samples() == 0);
  CHECK(offset.correction() == Nanoseconds::zero());
  offset.add(1'000, 1'009'000, 9'000);  // 8 us there and back, 4 us of them unknown
  CHECK(offset.correction() == Nanoseconds{1'004'000});
  offset.add(1'000, 1'001'500, 3'000);
  CHECK(offset.correction() == Nanoseconds{999'500});
  CHECK(offset.uncertainty() == Nanoseconds{1'000});
  offset.add(1'000, 1'020'000, 60'000);
  CHECK(offset.correction() == Nanoseconds{999'500});
  CHECK(offset.samples() == 3);
}

TEST_CASE("a clock that is set is noticed with the next exchange, in either direction") {
  constexpr std::int64_t minute = 60'000'000'000;
  for (const std::int64_t step : {minute, -minute}) {
    ClockOffset offset;
    offset.add(1'000, 2'000, 3'000);  // the best one there will be
    for (std::int64_t at = 10'000; at < 100'000; at += 10'000)
      offset.add(at, at + 2'500, at + 5'000);
    CHECK(offset.correction() == Nanoseconds::zero());
    offset.add(200'000, 200'000 + step + 2'500, 205'000);
    CHECK(offset.correction() == Nanoseconds{step});
    CHECK(offset.uncertainty() == Nanoseconds{2'500});
    // What is better from then on is believed, and nothing from before.
    offset.add(300'000, 300'000 + step + 1'500, 303'000);
    CHECK(offset.correction() == Nanoseconds{step});
    CHECK(offset.uncertainty() == Nanoseconds{1'500});
  }
}

TEST_CASE("an offset that drifts is followed: the best exchange is forgotten in time") {
  ClockOffset offset;
  offset.add(0, 1'000'000, 20'000);
  for (std::int64_t count = 1; count <= ClockOffset::window; ++count) {
    const std::int64_t at = count * 1'000'000;
    offset.add(at, at + 1'000'000 + 500 * count, at + 40'000);  // half a microsecond each
  }
  CHECK(offset.uncertainty() == Nanoseconds{20'000});
  CHECK(offset.samples() == ClockOffset::window + 1);
}

TEST_CASE("an offset within its own uncertainty is none") {
  ClockOffset same_clock;
  same_clock.add(1'000, 1'200, 3'000);
  CHECK(same_clock.correction() == Nanoseconds::zero());
  ClockOffset behind;
  behind.add(1'000'000, 1'000, 1'002'000);
  CHECK(behind.correction() == Nanoseconds{-1'000'000});
}

TEST_CASE("ticks made in the window are due to every client that is not slow") {
  LoadReport report;
  Measurement measurement(report);
  measurement.snapshot(false, 9, milliseconds(1));
  measurement.snapshot(false, 10, milliseconds(1));
  measurement.open(start);
  measurement.snapshot(false, 10, milliseconds(500));  // of before, to somebody who got it late
  for (const std::uint64_t tick : {11UL, 12UL, 13UL})
    measurement.snapshot(false, tick, milliseconds(1));
  measurement.snapshot(false, 11, milliseconds(2));
  measurement.close(start + seconds(2), 2, 2);
  measurement.snapshot(false, 13, milliseconds(30));  // still on its way when the window closed
  measurement.snapshot(false, 14, milliseconds(1));   // made after it
  measurement.settle();

  CHECK(report.ticks == 3);
  CHECK(report.frames == 5);
  CHECK(report.delivered == 5);
  CHECK(report.ticks_missed == 1);  // the second client's 12
  CHECK(*report.delivered_ratio() == Approx(5.0 / 6));
  CHECK(report.seconds == Approx(2));
  CHECK(report.frames_per_s() == Approx(2.5));
  CHECK(report.age.count() == 5);
  CHECK(report.age.max() == 30'000'000);
}

TEST_CASE("ticks are listed with who got them and who got other bytes") {
  LoadReport report;
  Measurement measurement(report);
  const auto got = [&measurement](std::uint64_t tick, std::uint64_t digest) {
    measurement.snapshot(false, tick, milliseconds(1));
    measurement.list(tick, digest);
  };
  got(10, 1);
  measurement.open(start);
  got(10, 1);
  got(11, 7);
  got(12, 8);
  got(11, 7);
  measurement.close(start + seconds(2), 2, 2);
  got(12, 9);
  got(13, 1);
  measurement.settle();

  REQUIRE(report.ticks_seen.size() == 2);
  CHECK(report.ticks_seen[0].tick == 11);
  CHECK(report.ticks_seen[0].clients == 2);
  CHECK(report.ticks_seen[0].differing == 0);
  CHECK(report.ticks_seen[1].tick == 12);
  CHECK(report.ticks_seen[1].differing == 1);
  CHECK(to_json(report).find(R"("ticks_seen":[{"tick":11,"clients":2,"digest":"0000000000000007",)"
                             R"("differing":0},{"tick":12,"clients":2,)") != std::string::npos);
}

TEST_CASE("slow clients are not due anything and have ages of their own") {
  LoadReport report;
  Measurement measurement(report);
  measurement.snapshot(true, 1, seconds(9));
  measurement.open(start);
  measurement.snapshot(false, 5, milliseconds(1));
  measurement.snapshot(true, 2, seconds(3));
  measurement.close(start + seconds(1), 1, 1);
  measurement.snapshot(true, 3, seconds(9));
  measurement.settle();
  CHECK(report.frames == 2);
  CHECK(report.slow_age.count() == 1);
  CHECK(report.slow_age.max() == 3'000'000'000);
  CHECK(report.age.max() == 1'000'000);
}

TEST_CASE("a server that stands still has missed what its rate promised, but for one tick") {
  LoadReport report;
  Measurement measurement(report);
  measurement.snapshot(false, 1, milliseconds(1));
  measurement.open(start);
  measurement.close(start + seconds(1), 3, 60);
  measurement.settle();
  CHECK(report.ticks == 59);
  CHECK(report.ticks_missed == 3 * 59);
  CHECK(report.delivered_ratio() == 0);
}

TEST_CASE("without anyone who should get every tick there is no ratio") {
  LoadReport report;
  Measurement measurement(report);
  measurement.open(start);
  measurement.close(start + seconds(1), 0, 60);
  measurement.settle();
  CHECK_FALSE(report.delivered_ratio());
  CHECK(to_json(report).find(R"("delivered_ratio":null)") != std::string::npos);
}

TEST_CASE("clients that received nothing have no age, not an age of nothing") {
  LoadReport report;
  report.slow = 2;
  report.age.record(milliseconds(3));
  const std::string text = to_text(report);
  CHECK(text.find("of the 2 slow ones: no snapshot came\n") != std::string::npos);
  CHECK(text.find("snapshot age: p50 3.00 ms") != std::string::npos);
}

TEST_CASE("a load that somebody came to harm in is told from one in which nobody did") {
  LoadReport report;
  CHECK_FALSE(report.harmed());
  report.closed[1006] = 1;
  CHECK(report.harmed());
}

TEST_CASE("events, bytes and inputs count while the window is open") {
  LoadReport report;
  Measurement measurement(report);
  const auto all = [&measurement] {
    measurement.event();
    measurement.bytes(100);
    measurement.input();
    measurement.input_skipped();
  };
  all();
  measurement.open(start);
  all();
  measurement.close(start + seconds(1), 1, 1);
  all();
  CHECK(report.events == 1);
  CHECK(report.bytes == 100);
  CHECK(report.inputs == 1);
  CHECK(report.inputs_skipped == 1);
}

TEST_CASE("the JSON has the fields that scripts read, in the units of their names") {
  LoadReport report;
  report.clients = 5;
  report.joined = 4;
  report.join_failed = 1;
  report.join_error = "the server answered \"HTTP/1.1 503\"";
  report.seconds = 2;
  report.frames = 600;
  report.delivered = 90;
  report.ticks_missed = 10;
  report.age.record(milliseconds(3));
  report.join.record(milliseconds(7));
  report.closed[1013] = 2;
  report.close_reasons[{1013, "the room is \"full\""}] = 2;
  report.server_errors = 3;
  report.server_error = "too fast";
  report.clock_offset = Nanoseconds{-1'500};
  const std::string json = to_json(report);
  for (const std::string_view field :
       {R"("clients":5)", R"("seconds":2.000)", R"("frames":600)", R"("frames_per_s":300.0)",
        R"("delivered_ratio":0.900000)", R"("max":3000.0)",
        R"("slow_age_us":{"p50":null,"p99":null,"p999":null,"max":null})", R"("ticks_missed":10)",
        R"("verified":0)", R"("verify_failed":0)", R"("max":7.00})",
        R"("server_errors":3,"server_error":"too fast")", R"("closed":{"1013":2})",
        R"("close_reasons":[{"code":1013,"reason":"the room is \"full\"","count":2}])",
        R"("slow_onset_age_us":{"p50":null,"p99":null,"p999":null,"max":null})",
        R"("slow_again_age_us":{"p50":null,"p99":null,"p999":null,"max":null})",
        R"("clock_offset_us":-1.5)", R"("join_error":"the server answered \"HTTP/1.1 503\"")"}) {
    INFO(field << " in " << json);
    CHECK(json.find(field) != std::string::npos);
  }
  CHECK(json.starts_with("{"));
  CHECK(json.ends_with("}\n"));
  const std::string text = to_text(report);
  CHECK(text.find("2 sessions ended early with 1013: the room is \"full\"\n") != std::string::npos);
  CHECK(text.find("the server complained 3 times; the first: too fast") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::load
