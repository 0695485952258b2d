// A family at a time: its help and type, then a line for each core or room that has it.
#include "observe/exposition.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

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

  // A value is counted under the first bound that is not below the end of its own bucket, so a
  // quantile read from here errs upwards, by at most a sixteenth.
  void histogram(std::string_view name, std::string_view labels, const Histogram& histogram) {
    for (const microseconds bound : bucket_bounds) {
      const auto nanoseconds = static_cast<std::uint64_t>(Nanoseconds(bound).count());
      fmt::format_to(out(), "ringcast_{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                     seconds(nanoseconds), histogram.count_up_to(nanoseconds));
    }
    const std::uint64_t count = histogram.count();
    fmt::format_to(out(), "ringcast_{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, count);
    fmt::format_to(out(), "ringcast_{}_sum{{{}}} {}\n", name, labels, seconds(histogram.sum()));
    fmt::format_to(out(), "ringcast_{}_count{{{}}} {}\n", name, labels, count);
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::back_insert_iterator<std::string> out() { return std::back_inserter(text_); }

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

struct RoomCellRow {
  std::string_view name;
  std::string_view help;
  std::string_view type;
  Cell RoomMetrics::* cell;
};
constexpr auto room_cells = std::to_array<RoomCellRow>({
    {"room_members", "Sessions inside the room.", "gauge", &RoomMetrics::members},
    {"room_ticks_total", "Ticks of the room.", "counter", &RoomMetrics::tick},
    {"room_ticks_overrun_total", "Ticks left out since their time had passed.", "counter",
     &RoomMetrics::ticks_overrun},
    {"room_marshals_total", "Payloads marshaled.", "counter", &RoomMetrics::marshals},
    {"room_snapshot_bytes", "The newest snapshot's frame.", "gauge", &RoomMetrics::snapshot_bytes},
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
});

void write_rooms(Writer& writer, std::span<const NamedRoom> rooms) {
  const auto label = [](const NamedRoom& room) {
    return fmt::format("room=\"{}\"", escaped(room.name));
  };
  for (const RoomCellRow& row : room_cells) {
    writer.family(row.name, row.help, row.type);
    for (const NamedRoom& room : rooms) {
      writer.sample(row.name, label(room), (room.metrics->*row.cell).value());
    }
  }
  for (const RoomHistogramRow& row : room_histograms) {
    writer.family(row.name, row.help, "histogram");
    for (const NamedRoom& room : rooms) {
      writer.histogram(row.name, label(room), room.metrics->*row.histogram);
    }
  }
}

}  // namespace

std::string exposition(std::span<const NamedCore> cores, std::span<const NamedRoom> rooms) {
  Writer writer;
  write_rows<Count>(writer, "counter", cores);
  write_rows<Level>(writer, "gauge", cores);
  writer.family("busy_seconds_total", "Time that the core spent in turns, waiting excluded.",
                "counter");
  for (const NamedCore& core : cores) {
    writer.sample("busy_seconds_total", fmt::format("core=\"{}\"", escaped(core.name)),
                  seconds(core.metrics->busy_ns.value()));
  }
  writer.family("send_age_seconds", "From a snapshot's tick to the kernel having taken it.",
                "histogram");
  for (const NamedCore& core : cores) {
    writer.histogram("send_age_seconds", fmt::format("core=\"{}\"", escaped(core.name)),
                     core.metrics->send_age);
  }
  write_rooms(writer, rooms);
  return writer.take();
}

}  // namespace ringcast::observe
