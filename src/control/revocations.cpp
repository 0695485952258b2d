#include "control/revocations.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "auth/strict_json.h"

namespace ringcast::server {
namespace {

using auth::Revocation;
using nlohmann::json;

constexpr std::string_view content_type = "application/json";

const char* name_of(Revocation::Of of) {
  return of == Revocation::Of::subject ? "subject" : "jti";
}

auth::UnixSeconds seconds(Nanoseconds duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

bool is_value(const json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return !text.empty() && text.size() <= auth::Verifier::subject_bytes_max;
}

/// Which of the two `object` has; nothing when it has both, or neither, or not as a text.
std::optional<Revocation> whose(const json& object) {
  std::optional<Revocation> found;
  for (const auto of : {Revocation::Of::subject, Revocation::Of::id}) {
    const auto value = object.find(name_of(of));
    if (value == object.end()) continue;
    if (found || !is_value(*value)) return std::nullopt;
    found = Revocation{.of = of, .value = value->get<std::string>()};
  }
  return found;
}

std::optional<auth::UnixSeconds> time_in(const json& object, const char* name) {
  const auto value = object.find(name);
  if (value == object.end() || !value->is_number_integer()) return std::nullopt;
  return value->get<auth::UnixSeconds>();
}

// Not inlined: GCC 12 would see parts of other alternatives that "may be used uninitialized".
[[gnu::noinline]] bool mail(const CoreHandle& core, std::uint64_t number,
                            const Revocation& revocation) {
  const bool posted = core.to_core->push(
      Revoke{.number = number, .revocation = std::make_unique<const Revocation>(revocation)});
  core.doorbell->ring();
  return posted;
}

}  // namespace

std::string encode(std::span<const Revocation> revocations) {
  json list = json::array();
  for (const Revocation& revocation : revocations) {
    json entry{{name_of(revocation.of), revocation.value}, {"until", revocation.until}};
    if (revocation.of == Revocation::Of::subject) entry["issued_until"] = revocation.issued_until;
    list.push_back(std::move(entry));
  }
  return json{{"version", 1}, {"revocations", std::move(list)}}.dump() + '\n';
}

Result<std::vector<Revocation>> decode_revocations(std::string_view text) {
  const auto file = auth::read_strict_json(text);
  if (!file || !file->contains("version") || !file->contains("revocations") ||
      !(*file)["revocations"].is_array()) {
    return fail("is not a list of revocations, or cut short");
  }
  if ((*file)["version"] != 1) return fail("is of a version that this ringcast does not read");
  std::vector<Revocation> revocations;
  for (const json& entry : (*file)["revocations"]) {
    auto revocation = entry.is_object() ? whose(entry) : std::nullopt;
    const auto until = entry.is_object() ? time_in(entry, "until") : std::nullopt;
    if (!revocation || !until) return fail("has an entry that is no revocation");
    revocation->until = *until;
    if (revocation->of == Revocation::Of::subject) {
      const auto issued_until = time_in(entry, "issued_until");
      if (!issued_until) return fail("has an entry that is no revocation");
      revocation->issued_until = *issued_until;
    }
    revocations.push_back(std::move(*revocation));
  }
  return revocations;
}

Result<void> restore_revocations(const StateDirectory& directory, auth::Ledger& ledger,
                                 auth::UnixSeconds now) {
  const auto bytes = directory.read(revocations_file);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return {};
  const auto revocations =
      decode_revocations({reinterpret_cast<const char*>((*bytes)->data()), (*bytes)->size()});
  if (!revocations) {
    return fail(fmt::format("the state directory's {} {}; mend it, or remove it to go on without",
                            revocations_file, revocations.error().message));
  }
  for (const Revocation& revocation : *revocations) {
    if (revocation.until > now) static_cast<void>(ledger.revoke(revocation, now));
  }
  return {};
}

// A token that is good now has an `exp` of at most lifetime_max and leeway from now, and is taken
// for a leeway more. One whose issuer's clock runs ahead says that it was issued later than it was.
Result<Revocation> parse_revocation(std::string_view body, const auth::Options& options,
                                    auth::UnixSeconds now) {
  const auto object = auth::read_strict_json(body);
  auto revocation = object && object->size() == 1 ? whose(*object) : std::nullopt;
  if (!revocation) {
    return fail(
        R"(The body must be {"subject":"..."} or {"jti":"..."}, with a text of 1 to 256 bytes.)");
  }
  const auth::UnixSeconds leeway = seconds(options.leeway);
  revocation->issued_until = now + leeway;
  revocation->until = now + seconds(options.lifetime_max) + 2 * leeway;
  return std::move(*revocation);
}

Revocations::Revocations(const AdminView& view, const observe::Log& log, const Clock& clock,
                         auth::Ledger* ledger, const StateDirectory* state_directory)
    : view_(view), log_(log), clock_(clock), ledger_(ledger), state_directory_(state_directory) {}

void Revocations::set_options(const auth::Options& options) {
  options_ = options;
  for (auth::Key& key : options_.keys) key.material.clear();
}

void Revocations::revoke(std::string_view body, Answered answered) {
  if (ledger_ == nullptr || !options_.asks_for_tokens()) {
    return answered(plain_text_answer(409, "This server asks for no tokens ([auth])."));
  }
  if (view_.readiness != Readiness::serving || pending_.size() >= under_way_max) {
    return answered(plain_text_answer(503, view_.readiness == Readiness::draining
                                               ? "The server is shutting down."
                                               : "The server is busy; ask again."));
  }
  const auth::UnixSeconds now = clock_.unix_now() / 1'000'000'000;
  auto revocation = parse_revocation(body, options_, now);
  if (!revocation) return answered(plain_text_answer(400, revocation.error().message));
  if (!ledger_->revoke(*revocation, now)) {
    return answered(plain_text_answer(
        503, fmt::format("There are {} revocations already; some must run out first.",
                         auth::Ledger::revocations_max)));
  }
  if (state_directory_ != nullptr) {
    const std::string text = encode(ledger_->revocations(now));
    if (const auto kept =
            state_directory_->replace(revocations_file, std::as_bytes(std::span(text)));
        !kept) {
      log_.write(observe::LogLevel::error,
                 "a revocation holds, but not over a restart: " + kept.error().message);
      // It holds all the same, and its sessions are ended: only the answer says that this is not
      // all that was asked for.
      const auto inner = std::move(answered);
      answered = [inner](const AdminAnswer&) {
        inner(plain_text_answer(500,
                                "It is revoked, but could not be written to the state directory: a "
                                "restart would forget it."));
      };
    }
  }
  Pending pending{.answers_due = 0,
                  .cores_missed = 0,
                  .sessions = 0,
                  .revocation = std::move(*revocation),
                  .answered = std::move(answered)};
  const std::uint64_t number = next_++;
  for (const CoreHandle& core : view_.cores) {
    ++(mail(core, number, pending.revocation) ? pending.answers_due : pending.cores_missed);
  }
  if (pending.answers_due == 0) return pending.answered(done(pending));
  pending_.emplace(number, std::move(pending));
}

void Revocations::revoked(const Revoked& mail) {
  const auto found = pending_.find(mail.number);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  pending.sessions += mail.sessions;
  if (--pending.answers_due != 0) return;
  const auto entry = pending_.extract(found);
  entry.mapped().answered(done(entry.mapped()));
}

AdminAnswer Revocations::done(const Pending& pending) const {
  log_.write(observe::LogLevel::info, "token revoked",
             {{name_of(pending.revocation.of), pending.revocation.value},
              {"sessions", static_cast<std::int64_t>(pending.sessions)}});
  if (pending.cores_missed > 0) {
    return plain_text_answer(503, fmt::format("It is revoked, but {} of the cores were too busy to "
                                              "end its sessions; ask again.",
                                              pending.cores_missed));
  }
  const json answer{{"sessions_ended", pending.sessions},
                    {"until", pending.revocation.until},
                    {"kept_over_restart", state_directory_ != nullptr}};
  return {200, content_type, answer.dump() + '\n'};
}

void Revocations::give_up() {
  for (auto& [number, pending] : std::exchange(pending_, {})) pending.answered(done(pending));
}

}  // namespace ringcast::server
