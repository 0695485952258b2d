// The report as JSON and as text. Times are microseconds, joins milliseconds.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/json_string.h"
#include "load/load.h"

namespace ringcast::load {
namespace {

double in_microseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e3;
}
double in_milliseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e6;
}
double in_microseconds(Nanoseconds duration) {
  return static_cast<double>(duration.count()) / 1e3;
}

/// Where nothing was received there is no age: 0 would be the best one.
std::string ages(const Histogram& age) {
  if (age.count() == 0) return R"({"p50":null,"p99":null,"p999":null,"max":null})";
  return fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})",
                     in_microseconds(age.quantile(0.5)), in_microseconds(age.quantile(0.99)),
                     in_microseconds(age.quantile(0.999)), in_microseconds(age.max()));
}

std::string closes(const LoadReport& report) {
  std::string out;
  for (const auto& [code, count] : report.closed) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", out.empty() ? "" : ",", code, count);
  }
  return "{" + out + "}";
}

std::string close_reasons(const LoadReport& report) {
  std::string out;
  for (const auto& [ended, count] : report.close_reasons) {
    fmt::format_to(std::back_inserter(out), R"({}{{"code":{},"reason":{},"count":{}}})",
                   out.empty() ? "" : ",", ended.first, json_string(ended.second), count);
  }
  return "[" + out + "]";
}

std::string ticks(const LoadReport& report) {
  std::string out;
  for (const TickSeen& seen : report.ticks_seen) {
    fmt::format_to(std::back_inserter(out),
                   R"({}{{"tick":{},"clients":{},"digest":"{:016x}","differing":{}}})",
                   out.empty() ? "" : ",", seen.tick, seen.clients, seen.digest, seen.differing);
  }
  return "[" + out + "]";
}

std::string age_line(std::string_view name, const Histogram& age) {
  if (age.count() == 0) return fmt::format("{}: no snapshot came\n", name);
  return fmt::format("{}: p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms, max {:.2f} ms\n", name,
                     in_milliseconds(age.quantile(0.5)), in_milliseconds(age.quantile(0.99)),
                     in_milliseconds(age.quantile(0.999)), in_milliseconds(age.max()));
}

double mean(std::uint64_t sum, std::uint64_t count) {
  return static_cast<double>(sum) / static_cast<double>(std::max<std::uint64_t>(1, count));
}

/// null where nothing is replicated.
std::string replicated(const LoadReport& report) {
  if (report.replicated_frames == 0) return "null";
  const Histogram& size = report.replicated_size;
  return fmt::format(
      R"({{"frames":{},"messages":{},"payload_bytes":{{"mean":{:.1f},"p99":{},"max":{}}},)"
      R"("frames_read":{},"objects_in_view":{:.1f},"oldest_ticks":{{"mean":{:.1f},"max":{}}},)"
      R"("desyncs":{}}})",
      report.replicated_frames, report.replicated_messages,
      mean(report.replicated_bytes, report.replicated_frames), size.quantile(0.99), size.max(),
      report.replicated_read, mean(report.replicated_objects, report.replicated_read),
      mean(report.replicated_oldest_ticks, report.replicated_read),
      report.replicated_oldest_ticks_max, report.desyncs);
}

std::string delivered(const LoadReport& report, std::string_view none) {
  const auto ratio = report.delivered_ratio();
  return ratio ? fmt::format("{:.6f}", *ratio) : std::string(none);
}

}  // namespace

std::string to_json(const LoadReport& report) {
  std::string out = "{";
  const auto field = [&out](std::string_view name, const auto& value) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", out.size() > 1 ? "," : "", name, value);
  };
  field("clients", report.clients);
  field("slow", report.slow);
  field("joined", report.joined);
  field("join_failed", report.join_failed);
  field("join_error", json_string(report.join_error));
  field("seconds", fmt::format("{:.3f}", report.seconds));
  field("frames", report.frames);
  field("frames_per_s", fmt::format("{:.1f}", report.frames_per_s()));
  field("bytes_per_s", fmt::format("{:.0f}", report.bytes_per_s()));
  field("ticks", report.ticks);
  field("delivered", report.delivered);
  field("delivered_ratio", delivered(report, "null"));
  field("ticks_missed", report.ticks_missed);
  if (!report.ticks_seen.empty()) field("ticks_seen", ticks(report));
  field("age_us", ages(report.age));
  field("slow_age_us", ages(report.slow_age));
  field("slow_onset_age_us", ages(report.slow_onset_age));
  field("slow_again_age_us", ages(report.slow_again_age));
  field("replicated", replicated(report));
  field("verified", report.verified);
  field("verify_failed", report.verify_failed);
  field("verify_error", json_string(report.verify_error));
  field("events", report.events);
  field("inputs", report.inputs);
  field("inputs_skipped", report.inputs_skipped);
  field("server_errors", report.server_errors);
  field("server_error", json_string(report.server_error));
  field("join_ms", fmt::format(R"({{"p50":{:.2f},"p99":{:.2f},"max":{:.2f}}})",
                               in_milliseconds(report.join.quantile(0.5)),
                               in_milliseconds(report.join.quantile(0.99)),
                               in_milliseconds(report.join.max())));
  field("closed", closes(report));
  field("close_reasons", close_reasons(report));
  field("restarted", report.restarted);
  field("dropped", report.dropped);
  field("returned", report.returned);
  field("resumed", report.resumed);
  field("events_complete", report.events_complete);
  field("events_missed", report.events_missed);
  field("return_failed", report.return_failed);
  field("return_error", json_string(report.return_error));
  field("away_ms", fmt::format(R"({{"p50":{:.1f},"p99":{:.1f},"max":{:.1f}}})",
                               in_milliseconds(report.away.quantile(0.5)),
                               in_milliseconds(report.away.quantile(0.99)),
                               in_milliseconds(report.away.max())));
  field("clock_offset_us", fmt::format("{:.1f}", in_microseconds(report.clock_offset)));
  field("clock_uncertainty_us", fmt::format("{:.1f}", in_microseconds(report.clock_uncertainty)));
  field("clock_samples", report.clock_samples);
  return out + "}\n";
}

std::string to_text(const LoadReport& report) {
  std::string out = fmt::format(
      "{} of {} clients joined, p50 {:.1f} ms, p99 {:.1f} ms\n", report.joined, report.clients,
      in_milliseconds(report.join.quantile(0.5)), in_milliseconds(report.join.quantile(0.99)));
  const auto add = [&out]<class... Values>(fmt::format_string<Values...> format,
                                           Values&&... values) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Values>(values)...);
  };
  if (report.join_failed > 0) {
    add("{} could not join; the first: {}\n", report.join_failed, report.join_error);
  }
  add("{:.1f} s: {:.0f} frames/s, {:.2f} MB/s, {} ticks, {} events\n", report.seconds,
      report.frames_per_s(), report.bytes_per_s() / 1e6, report.ticks, report.events);
  add("delivered {} ({} missed), {} messages checked, {} of them wrong\n", delivered(report, "-"),
      report.ticks_missed, report.verified + report.verify_failed, report.verify_failed);
  if (report.verify_failed > 0) add("the first wrong one: {}\n", report.verify_error);
  out += age_line("snapshot age", report.age);
  if (report.replicated_frames > 0) {
    add("replicated: {:.0f} bytes a frame, p99 {}, {:.0f} objects in view, {} desyncs\n",
        mean(report.replicated_bytes, report.replicated_frames),
        report.replicated_size.quantile(0.99),
        mean(report.replicated_objects, report.replicated_read), report.desyncs);
  }
  if (report.slow > 0) {
    out += age_line(fmt::format("of the {} slow ones", report.slow), report.slow_age);
    out += age_line("of these in their first five seconds as such", report.slow_onset_age);
    if (report.slow_again_age.count() > 0) {
      out += age_line("and whenever they were so again", report.slow_again_age);
    }
  }
  for (const auto& [ended, count] : report.close_reasons) {
    const auto& [code, reason] = ended;
    add("{} sessions ended early with {}: {}\n", count, code, reason);
  }
  if (report.restarted > 0) add("{} sessions ended by a restart\n", report.restarted);
  if (report.dropped > 0) add("{} connections dropped\n", report.dropped);
  if (report.restarted + report.dropped > 0) {
    add("{} came back after p50 {:.0f} ms, max {:.0f} ms, {} of them as the member they were, {} "
        "without missing an event\n",
        report.returned, in_milliseconds(report.away.quantile(0.5)),
        in_milliseconds(report.away.max()), report.resumed, report.events_complete);
  }
  if (report.events_missed > 0) add("{} events were never told\n", report.events_missed);
  if (report.return_failed > 0) {
    add("{} could not come back; the first: {}\n", report.return_failed, report.return_error);
  }
  if (report.server_errors > 0) {
    add("the server complained {} times; the first: {}\n", report.server_errors,
        report.server_error);
  }
  if (report.clock_samples == 0) {
    add("the server's clock was not compared: ages hold when it is this machine's\n");
  } else {
    add("server clock {:+.1f} us, known to {:.1f} us\n", in_microseconds(report.clock_offset),
        in_microseconds(report.clock_uncertainty));
  }
  return out;
}

}  // namespace ringcast::load
