// The table behind the counters: one row each, in the order of the enumerations. Neighbouring rows
// of one name are one Prometheus family, told apart by their label.
#include "observe/metrics.h"

#include <cmath>
#include <utility>

namespace ringcast::observe {
namespace {

constexpr auto count_rows = std::to_array<MetricRow>({
    {"connections_accepted_total", "Connections accepted.", ""},
    {"accept_errors_total", "Accepts that failed.", ""},
    {"proxy_headers_malformed_total",
     "Connections of proxies closed since they did not begin with a PROXY header.", ""},
    {"connections_limited_total", "Connections refused by a limit of the client's address.",
     R"(limit="connections_max")"},
    {"connections_limited_total", "", R"(limit="connections_per_s")"},
    {"upgrades_total", "Connections that became sessions.", ""},
    {"upgrades_refused_total", "Requests answered with an HTTP error.", ""},
    {"tokens_accepted_total", "Upgrades with a token that was good.", ""},
    {"tokens_renewed_total", "Tokens taken by a session in the place of its own.", ""},
    {"tokens_refused_total", "Tokens that were not taken, at an upgrade or in a session.",
     R"(reason="missing")"},
    {"tokens_refused_total", "", R"(reason="several")"},
    {"tokens_refused_total", "", R"(reason="too_long")"},
    {"tokens_refused_total", "", R"(reason="malformed")"},
    {"tokens_refused_total", "", R"(reason="algorithm")"},
    {"tokens_refused_total", "", R"(reason="key")"},
    {"tokens_refused_total", "", R"(reason="signature")"},
    {"tokens_refused_total", "", R"(reason="claims")"},
    {"tokens_refused_total", "", R"(reason="issuer")"},
    {"tokens_refused_total", "", R"(reason="audience")"},
    {"tokens_refused_total", "", R"(reason="expired")"},
    {"tokens_refused_total", "", R"(reason="not_yet_valid")"},
    {"tokens_refused_total", "", R"(reason="lifetime")"},
    {"tokens_refused_total", "", R"(reason="room")"},
    {"tokens_refused_total", "", R"(reason="subject")"},
    {"tokens_refused_total", "", R"(reason="used")"},
    {"tokens_refused_total", "", R"(reason="revoked")"},
    {"tokens_refused_total", "", R"(reason="overloaded")"},
    {"page_requests_total", "Requests for a file of the page.", ""},
    {"sessions_closed_total", "Sessions ended, by close code (RFC 6455).", R"(code="1000")"},
    {"sessions_closed_total", "", R"(code="1001")"},
    {"sessions_closed_total", "", R"(code="1002")"},
    {"sessions_closed_total", "", R"(code="1003")"},
    {"sessions_closed_total", "", R"(code="1007")"},
    {"sessions_closed_total", "", R"(code="1008")"},
    {"sessions_closed_total", "", R"(code="1009")"},
    {"sessions_closed_total", "", R"(code="1011")"},
    {"sessions_closed_total", "", R"(code="1012")"},
    {"sessions_closed_total", "", R"(code="1013")"},
    {"sessions_closed_total", "", R"(code="4401")"},
    {"sessions_closed_total", "", R"(code="4403")"},
    {"sessions_closed_total", "", R"(code="4409")"},
    {"sessions_closed_total", "", R"(code="1005")"},
    {"sessions_closed_total", "", R"(code="1006")"},
    {"sessions_closed_total", "", R"(code="other")"},
    {"frames_sent_total", "Frames that the kernel has taken whole.", R"(class="latest")"},
    {"frames_sent_total", "", R"(class="reliable")"},
    {"frames_sent_total", "", R"(class="control")"},
    {"sent_bytes_total", "Bytes that the kernel has taken.", ""},
    {"frames_dropped_total", "Frames dropped since one was already waiting.", R"(class="latest")"},
    {"frames_replaced_total", "Waiting frames replaced by a newer one.", R"(class="latest")"},
    {"frames_held_total", "Frames kept waiting until the client acknowledges older ones.",
     R"(class="latest")"},
    {"frames_held_for_link_total",
     "Frames kept waiting since the core's part of the link was used up.", R"(class="latest")"},
    {"reliable_overflows_total", "Sessions closed since their reliable queue was full.", ""},
    {"sends_short_total", "Sends of which the kernel took a part.", ""},
    {"sends_blocked_total", "Sends of which the kernel took nothing: the socket was full.", ""},
    {"sends_chained_total", "Several frames sent as a chain of linked sends.", ""},
    {"sends_zero_copy_total", "Frames given to the kernel where they are.", ""},
    {"zero_copy_copied_total", "Zero-copy sends that the kernel copied after all.", ""},
    {"zero_copy_fallbacks_total", "Sessions that went back to plain sends for that.", ""},
    {"receives_total", "Receives completed.", ""},
    {"received_bytes_total", "Bytes received.", ""},
    {"receive_buffers_exhausted_total", "Receives that found no free buffer.", ""},
    {"arrivals_held_over_total",
     "Completions left to the next turn, since ticks and sends come first.", ""},
    {"messages_received_total", "WebSocket messages received.", ""},
    {"messages_malformed_total", "Messages that could not be decoded.", ""},
    {"inputs_rate_limited_total", "Messages dropped by a session's rate limit.", ""},
    {"inputs_inbox_full_total", "Inputs dropped since the room's inbox was full.", ""},
    {"heartbeat_timeouts_total", "Sessions lost since they did not answer a ping.", ""},
    {"send_timeouts_total", "Sessions lost since they did not read on in a frame that had begun.",
     ""},
    {"sessions_evicted_total",
     "Sessions lost since they held frames for long while frame memory was short.", ""},
    {"frame_memory_exhausted_total", "Frames not made since frame memory had run out.", ""},
    {"payloads_too_big_total", "Payloads that no frame can hold.", ""},
    {"rooms_failed_total", "Rooms closed since their simulation threw an exception.", ""},
    {"mailbox_full_total", "Mails that found the other core's mailbox full.", ""},
    {"connections_moved_total", "Connections handed to the core that their room is on.", ""},
    {"snapshots_replaced_between_cores_total",
     "Snapshots of a spread room that a newer one replaced before another core took them.", ""},
    {"link_due_bytes_total",
     "Bytes on the wire of all snapshots and reliable frames, sent or not; 0 without "
     "link.bits_per_s.",
     ""},
    {"replicated_frames_total", "Frames composed for members of replicated rooms.", ""},
    {"replicated_bytes_total", "Bytes of these, envelopes left out.", ""},
    {"replicated_frames_anew_total",
     "Of these frames those that begin anew: of newcomers, and of clients that lost their state.",
     ""},
    {"replicated_blocks_total", "Blocks put into these frames.", ""},
    {"replicated_blocks_encoded_total", "Blocks encoded for them; each serves all who hold alike.",
     ""},
    {"replicated_cells_encoded_total",
     "Cells of which at least one block was encoded, counted in each tick.", ""},
    {"replicated_objects_kept_total",
     "Objects in the blocks put into frames that the receiver had in the cell already.", ""},
    {"replicated_objects_kept_bytes_total", "Bytes of the blocks for these.", ""},
    {"resyncs_total", "Replicated frames after which a client asked for everything anew.",
     R"(reason="unread")"},
    {"resyncs_total", "", R"(reason="digest")"},
    {"mirrors_begun_total",
     "Replicated rooms of other cores that were taken over whole: at first, and after falling "
     "behind.",
     ""},
    {"mirror_ticks_waited_total",
     "Ticks of other cores' replicated rooms that waited here since the last one's frames were "
     "being sent.",
     ""},
    {"turns_total", "Turns of the core's loop.", ""},
    {"allocations_total", "Heap allocations made by the core's thread.", ""},
});
static_assert(count_rows.size() == static_cast<std::size_t>(Count::end), "a row for each counter");

constexpr auto level_rows = std::to_array<MetricRow>({
    {"connections", "Open connections, sessions included.", ""},
    {"sessions", "WebSocket sessions.", ""},
    {"rooms", "Rooms at home on the core.", ""},
    {"backlog_frames", "Frames waiting in outboxes.", ""},
    {"backlog_bytes", "Bytes waiting in outboxes.", ""},
    {"sends_in_flight", "Sends that the kernel has not finished.", ""},
    {"operations_in_flight",
     "Receives, sends, polls and closes that sessions have with the kernel.", ""},
    {"zero_copy_pins", "Frames that the kernel may still read after a zero-copy send.", ""},
    {"zero_copy_min_bytes", "Frames of so many bytes on are sent zero-copy; 0: none are.", ""},
    {"chains_enabled", "1 when several frames for one socket leave as a chain.", ""},
    {"frame_memory_used_bytes", "Frame memory in use.", ""},
    {"frame_memory_bytes", "Frame memory.", ""},
    {"frame_memory_registered_bytes", "Frame memory registered with the kernel.", ""},
    {"link_bytes_per_second", "The core's part of link.bits_per_s, on the wire; 0: no bound.", ""},
    {"room_running", "The number, from 1, of the room whose simulation is being called; 0: none.",
     ""},
});
static_assert(level_rows.size() == static_cast<std::size_t>(Level::end), "a row for each level");

}  // namespace

const MetricRow& row(Count count) {
  return count_rows[static_cast<std::size_t>(count)];
}

const MetricRow& row(Level level) {
  return level_rows[static_cast<std::size_t>(level)];
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const Cell& cell : cells_) total += cell.value();
  return total;
}

std::size_t Histogram::new_cell(std::size_t bucket) {
  const std::size_t magnitude = bucket / steps;
  if (rows_given_ < rows_max) {
    rows_[magnitude].store(++rows_given_, std::memory_order_relaxed);
    return cell(rows_given_, bucket);
  }
  for (std::size_t distance = 1; distance < magnitudes; ++distance) {
    if (distance <= magnitude) {
      if (const std::uint8_t row = row_of(magnitude - distance)) return cell(row, steps - 1);
    }
    if (magnitude + distance < magnitudes) {
      if (const std::uint8_t row = row_of(magnitude + distance)) return cell(row, 0);
    }
  }
  std::unreachable();  // there are rows, or one would have been given out
}

std::uint64_t Histogram::quantile(double q) const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total)));
  std::uint64_t seen = 0;
  std::size_t last = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::uint64_t here = count_in(bucket);
    if (here == 0) continue;
    seen += here;
    last = bucket;
    if (seen >= rank) break;
  }
  return upper_bound(last);
}

std::uint64_t Histogram::count_up_to(std::uint64_t value) const {
  std::uint64_t total = 0;
  for (std::size_t bucket = 0; bucket < buckets && upper_bound(bucket) <= value; ++bucket) {
    total += count_in(bucket);
  }
  return total;
}

}  // namespace ringcast::observe
