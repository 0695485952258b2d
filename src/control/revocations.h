// Tokens that are to be good no longer: POST /revoke. A revocation is put into the ledger,
// which every core asks, written to the state directory, and then mailed to each core, which ends
// the sessions that it covers. On the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

#include "auth/ledger.h"
#include "auth/options.h"
#include "base/clock.h"
#include "base/result.h"
#include "control/admin.h"
#include "control/state_directory.h"
#include "core/handles.h"
#include "observe/log.h"

namespace ringcast::server {

/// What the state directory keeps them in. Of what has run out nothing is kept.
inline constexpr std::string_view revocations_file = "revocations.json";
[[nodiscard]] std::string encode(std::span<const auth::Revocation> revocations);
/// The error is the end of a sentence that begins with the file.
[[nodiscard]] Result<std::vector<auth::Revocation>> decode_revocations(std::string_view text);
/// Puts what `directory` has of them into `ledger`. The error names the file: a server that went on
/// without it would let in whom somebody has put out.
[[nodiscard]] Result<void> restore_revocations(const StateDirectory& directory,
                                               auth::Ledger& ledger, auth::UnixSeconds now);

/// What a POST /revoke asks for: an object with one of "subject" and "jti". The error is the
/// sentence of a 400.
[[nodiscard]] Result<auth::Revocation> parse_revocation(std::string_view body,
                                                        const auth::Options& options,
                                                        auth::UnixSeconds now);

class Revocations final : public TokenRevoker {
 public:
  /// Waiting for cores' answers at a time: their mailboxes have room for more.
  static constexpr std::size_t under_way_max = 8;

  /// `view` tells of the cores; `state_directory` may be nullptr. All outlive it.
  Revocations(const AdminView& view, const observe::Log& log, const Clock& clock,
              auth::Ledger* ledger, const StateDirectory* state_directory);

  /// What holds from here on for those to come.
  void set_options(const auth::Options& options);
  void revoke(std::string_view body, Answered answered) override;
  /// A core has posted Revoked.
  void revoked(const Revoked& mail);
  /// The server shuts down: whoever waits is answered. What was revoked is.
  void give_up();

 private:
  struct Pending {
    std::size_t answers_due = 0;
    std::size_t cores_missed = 0;  ///< that have too much mail to take it
    std::uint64_t sessions = 0;
    auth::Revocation revocation;
    Answered answered;
  };
  [[nodiscard]] AdminAnswer done(const Pending& pending) const;

  const AdminView& view_;
  const observe::Log& log_;
  const Clock& clock_;
  auth::Ledger* ledger_;
  const StateDirectory* state_directory_;
  auth::Options options_;  ///< without keys
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace ringcast::server
