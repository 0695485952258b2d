// A family at a time: its help and type, then a line for each core or room that has it.
#include "observe/exposition.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringcast::observe {
namespace {

using std::chrono::microseconds;

/// Around what matters at 60 Hz: fine below one period (16.7 ms), coarse above.
constexpr auto bucket_bounds = std::to_array<microseconds>(
    {microseconds(50),      microseconds(100),      microseconds(250),     microseconds(500),
     microseconds(1'000),   microseconds(1'500),    microseconds(2'000),   microseconds(2'500),
     microseconds(3'000),   microseconds(3'500),    microseconds(4'000),   microseconds(5'000),
     microseconds(6'000),   microseconds(8'000),    microseconds(10'000),  microseconds(12'000),
     microseconds(14'000),  microseconds(16'000),   microseconds(20'000),  microseconds(25'000),
     microseconds(33'000),  microseconds(50'000),   microseconds(100'000), microseconds(250'000),
     microseconds(500'000), microseconds(1'000'000)});

double seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

constexpr std::uint64_t nanoseconds(microseconds bound) {
  return static_cast<std::uint64_t>(Nanoseconds(bound).count());
}

/// What a bucket's labels end with, for each bound: most of what is written is this.
std::array<std::string, bucket_bounds.size()> bucket_ends() {
  std::array<std::string, bucket_bounds.size()> ends;
  for (std::size_t at = 0; at < ends.size(); ++at) {
    ends[at] = fmt::format(",le=\"{}\"}} ", seconds(nanoseconds(bucket_bounds[at])));
  }
  return ends;
}

std::string escaped(std::string_view value) {
  std::string out;
  for (const char character : value) {
    if (character == '\\' || character == '"') out += '\\';
    if (character == '\n') {
      out += "\\n";
    } else {
      out += character;
    }
  }
  return out;
}

class Writer {
 public:
  void family(std::string_view name, std::string_view help, std::string_view type) {
    fmt::format_to(out(), "# HELP ringcast_{} {}\n# TYPE ringcast_{} {}\n", name, help, name, type);
  }

  template <class Value>
  void sample(std::string_view name, std::string_view labels, Value value) {
    fmt::format_to(out(), "ringcast_{}{{{}}} {}\n", name, labels, value);
  }

  void sample(std::string_view name, std::uint64_t value) {
    fmt::format_to(out(), "ringcast_{} {}\n", name, value);
  }

  /// The sum of `histograms`.
  // A value is counted under the first bound that is not below the end of its own bucket, so a
  // quantile read from here errs upwards, by at most a sixteenth.
  void histogram(std::string_view name, std::string_view labels,
                 std::span<const Histogram* const> histograms) {
    std::size_t bucket = 0;
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < bucket_bounds.size(); ++at) {
      const std::uint64_t bound = nanoseconds(bucket_bounds[at]);
      for (; Histogram::upper_bound(bucket) <= bound; ++bucket) count += in(histograms, bucket);
      bucket_sample(name, labels, ends_[at], count);
    }
    std::uint64_t sum = 0;
    for (; bucket < Histogram::buckets; ++bucket) count += in(histograms, bucket);
    for (const Histogram* histogram : histograms) sum += histogram->sum();
    bucket_sample(name, labels, R"(,le="+Inf"} )", count);
    fmt::format_to(out(), "ringcast_{}_sum{{{}}} {}\n", name, labels, seconds(sum));
    fmt::format_to(out(), "ringcast_{}_count{{{}}} {}\n", name, labels, count);
  }
  void histogram(std::string_view name, std::string_view labels, const Histogram& histogram) {
    const Histogram* one = &histogram;
    this->histogram(name, labels, std::span(&one, 1));
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  static std::uint64_t in(std::span<const Histogram* const> histograms, std::size_t bucket) {
    std::uint64_t count = 0;
    for (const Histogram* histogram : histograms) count += histogram->count_in(bucket);
    return count;
  }
  void bucket_sample(std::string_view name, std::string_view labels, std::string_view end,
                     std::uint64_t count) {
    const fmt::format_int digits(count);
    text_.append("ringcast_").append(name).append("_bucket{").append(labels).append(end);
    text_.append(digits.data(), digits.size()).push_back('\n');
  }
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

  std::array<std::string, bucket_bounds.size()> ends_ = bucket_ends();
  std::string text_;
};

/// The rows of Count or Level: neighbours of one name are one family.
template <class Kind>
void write_rows(Writer& writer, std::string_view type, std::span<const NamedCore> cores) {
  constexpr auto end = static_cast<std::size_t>(Kind::end);
  for (std::size_t first = 0; first < end;) {
    const MetricRow& head = row(static_cast<Kind>(first));
    std::size_t last = first + 1;
    while (last < end && row(static_cast<Kind>(last)).name == head.name) ++last;
    writer.family(head.name, head.help, type);
    for (const NamedCore& core : cores) {
      const std::string core_label = fmt::format("core=\"{}\"", escaped(core.name));
      for (std::size_t at = first; at < last; ++at) {
        const std::string_view own = row(static_cast<Kind>(at)).label;
        const std::string labels = own.empty() ? core_label : fmt::format("{},{}", core_label, own);
        writer.sample(head.name, labels, (*core.metrics)[static_cast<Kind>(at)].value());
      }
    }
    first = last;
  }
}

struct ControlCellRow {
  std::string_view name;
  std::string_view help;
  std::string_view type;
  Cell ControlMetrics::* cell;
};
constexpr auto control_cells = std::to_array<ControlCellRow>(
    {{"admin_requests_refused_total",
      "Requests to the admin address without its token, with a wrong one, or from another site.",
      "counter", &ControlMetrics::admin_requests_refused},
     {"log_lines_lost_total", "Log lines that nobody read in time.", "counter",
      &ControlMetrics::log_lines_lost},
     {"checkpoint_failures_total", "Checkpoints of rooms that could not be written.", "counter",
      &ControlMetrics::checkpoint_failures},
     {"cores_stuck", "Cores whose loop stands still.", "gauge", &ControlMetrics::cores_stuck}});

struct RoomCellRow {
  std::string_view name;
  std::string_view help;
  std::string_view type;
  Cell RoomMetrics::* cell;
  std::string_view label = {};  ///< tells rows of one family apart; those have the first one's help
};
constexpr auto room_cells = std::to_array<RoomCellRow>({
    {"room_members", "Sessions inside the room.", "gauge", &RoomMetrics::members},
    {"room_away", "Members whose connection was lost and whose place is kept.", "gauge",
     &RoomMetrics::away},
    {"room_resumed_total", "Members who came back to their place.", "counter",
     &RoomMetrics::resumed},
    {"room_resumes_refused_total", "Resume tokens that were good for nothing.", "counter",
     &RoomMetrics::resumes_refused_invalid, R"(reason="invalid")"},
    {"room_resumes_refused_total", "", "counter", &RoomMetrics::resumes_refused_spent,
     R"(reason="spent")"},
    {"room_resumes_refused_total", "", "counter", &RoomMetrics::resumes_refused_gone,
     R"(reason="gone")"},
    {"room_joins_refused_total", "Sessions that the simulation did not let join.", "counter",
     &RoomMetrics::joins_refused},
    {"room_replicated_objects", "Objects that a replicated room has.", "gauge",
     &RoomMetrics::replicated_objects},
    {"room_replication_mistakes_total",
     "What the simulation asked of its world that could not be done.", "counter",
     &RoomMetrics::replication_mistakes},
    {"room_backlog_frames", "Frames waiting for the room's members on its home core.", "gauge",
     &RoomMetrics::backlog_frames},
    {"room_backlog_bytes", "Bytes waiting for the room's members on its home core.", "gauge",
     &RoomMetrics::backlog_bytes},
    {"room_ticks_total", "Ticks of the room.", "counter", &RoomMetrics::tick},
    {"room_ticks_overrun_total", "Ticks left out since their time had passed.", "counter",
     &RoomMetrics::ticks_overrun},
    {"room_ticks_held_up_total",
     "Of the ticks left out those whose core was held by another room's tick.", "counter",
     &RoomMetrics::ticks_held_up},
    {"room_ticks_rested_total",
     "Ticks left out since the room's own took longer than there is time between them.", "counter",
     &RoomMetrics::ticks_rested},
    {"room_ticks_waited_total",
     "Ticks of a replicated room that began late since the last one's frames were being sent.",
     "counter", &RoomMetrics::ticks_waited},
    {"room_marshals_total", "Payloads marshaled.", "counter", &RoomMetrics::marshals},
    {"room_snapshot_bytes", "The newest snapshot's frame.", "gauge", &RoomMetrics::snapshot_bytes},
    {"room_checkpoints_total", "How often the room was saved while it ran.", "counter",
     &RoomMetrics::checkpoints},
    {"room_checkpoint_bytes", "The newest checkpoint's state.", "gauge",
     &RoomMetrics::checkpoint_bytes},
});

struct RoomHistogramRow {
  std::string_view name;
  std::string_view help;
  Histogram RoomMetrics::* histogram;
};
constexpr auto room_histograms = std::to_array<RoomHistogramRow>({
    {"room_tick_lateness_seconds", "From a tick's scheduled to its actual start.",
     &RoomMetrics::tick_lateness},
    {"room_tick_duration_seconds", "Drain, step, marshal, frame and broadcast into outboxes.",
     &RoomMetrics::tick_duration},
    {"room_tick_handed_over_seconds", "From a tick's start until its last send was handed over.",
     &RoomMetrics::tick_handed_over},
    {"room_step_seconds", "The simulation's step.", &RoomMetrics::step_duration},
    {"room_marshal_seconds", "Writing a payload into frame memory.",
     &RoomMetrics::marshal_duration},
    {"room_frame_seconds", "Writing the envelope and the WebSocket header before a payload.",
     &RoomMetrics::frame_duration},
    {"room_broadcast_seconds", "Putting a tick's frames into outboxes and mailboxes.",
     &RoomMetrics::broadcast_duration},
});

struct CoreHistogramRow {
  std::string_view name;
  std::string_view help;
  Histogram CoreMetrics::* histogram;
};
constexpr auto core_histograms = std::to_array<CoreHistogramRow>({
    {"send_age_seconds", "From a snapshot's tick to the kernel having taken it.",
     &CoreMetrics::send_age},
    {"send_write_seconds",
     "From a session being queued to send until the kernel has taken all of it.",
     &CoreMetrics::write_duration},
    {"submit_seconds", "Handing one chunk of queued sends to the kernel.",
     &CoreMetrics::submit_duration},
});

/// The rooms behind one value of the label `room`.
struct RoomGroup {
  std::string label;
  std::vector<const RoomMetrics*> rooms;
};

std::vector<RoomGroup> grouped(std::span<const NamedRoom> rooms, std::size_t named_max) {
  std::vector<RoomGroup> groups;
  RoomGroup others{fmt::format("room=\"{}\"", other_rooms), {}};
  for (const NamedRoom& room : rooms) {
    if (groups.size() < named_max && room.name != other_rooms) {
      groups.push_back({fmt::format("room=\"{}\"", escaped(room.name)), {room.metrics}});
    } else {
      others.rooms.push_back(room.metrics);
    }
  }
  if (!others.rooms.empty()) groups.push_back(std::move(others));
  return groups;
}

void write_simulation_counters(Writer& writer, std::span<const RoomGroup> groups) {
  constexpr std::string_view name = "room_simulation_total";
  writer.family(name, "What the room's simulation counts, by names of its own.", "counter");
  for (const RoomGroup& group : groups) {
    std::map<std::string_view, std::uint64_t> sums;
    for (const RoomMetrics* room : group.rooms) {
      for (std::size_t at = 0; at < room->counter_names.size(); ++at) {
        sums[room->counter_names[at]] += room->counters[at].value();
      }
    }
    for (const auto& [counter, sum] : sums) {
      writer.sample(name, fmt::format("{},counter=\"{}\"", group.label, escaped(counter)), sum);
    }
  }
}

void write_rooms(Writer& writer, std::span<const RoomGroup> groups) {
  for (const RoomCellRow& row : room_cells) {
    if (!row.help.empty()) writer.family(row.name, row.help, row.type);
    for (const RoomGroup& group : groups) {
      std::uint64_t sum = 0;
      for (const RoomMetrics* room : group.rooms) sum += (room->*row.cell).value();
      writer.sample(row.name,
                    row.label.empty() ? group.label : fmt::format("{},{}", group.label, row.label),
                    sum);
    }
  }
  constexpr std::string_view saving = "room_checkpoint_seconds_total";
  writer.family(saving, "Time that the room's core spent in its checkpoints.", "counter");
  for (const RoomGroup& group : groups) {
    std::uint64_t sum = 0;
    for (const RoomMetrics* room : group.rooms) sum += room->checkpoint_ns.value();
    writer.sample(saving, group.label, seconds(sum));
  }
  write_simulation_counters(writer, groups);
  std::vector<const Histogram*> histograms;
  for (const RoomHistogramRow& row : room_histograms) {
    writer.family(row.name, row.help, "histogram");
    for (const RoomGroup& group : groups) {
      histograms.clear();
      for (const RoomMetrics* room : group.rooms) histograms.push_back(&(room->*row.histogram));
      writer.histogram(row.name, group.label, histograms);
    }
  }
}

}  // namespace

std::string exposition(const ControlMetrics& control) {
  Writer writer;
  for (const ControlCellRow& row : control_cells) {
    writer.family(row.name, row.help, row.type);
    writer.sample(row.name, (control.*row.cell).value());
  }
  return writer.take();
}

std::string exposition(std::span<const NamedCore> cores, std::span<const NamedRoom> rooms,
                       std::size_t named_max) {
  Writer writer;
  write_rows<Count>(writer, "counter", cores);
  write_rows<Level>(writer, "gauge", cores);
  writer.family(
      "busy_seconds_total",
      "Time that the core spent in turns, without what the kernel did for it while it waited.",
      "counter");
  for (const NamedCore& core : cores) {
    writer.sample("busy_seconds_total", fmt::format("core=\"{}\"", escaped(core.name)),
                  seconds(core.metrics->busy_ns.value()));
  }
  for (const CoreHistogramRow& row : core_histograms) {
    writer.family(row.name, row.help, "histogram");
    for (const NamedCore& core : cores) {
      writer.histogram(row.name, fmt::format("core=\"{}\"", escaped(core.name)),
                       core.metrics->*row.histogram);
    }
  }
  write_rooms(writer, grouped(rooms, named_max));
  return writer.take();
}

}  // namespace ringcast::observe
