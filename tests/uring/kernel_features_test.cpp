#include "uring/kernel_features.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catch.h"
#include "uring/child_process.h"
#include "uring/ring.h"
#include "uring/setup_error.h"

namespace ringcast::uring {
namespace {

TEST_CASE("a kernel that runs the ring has all that is required") {
  const Features features = probe_features();
  REQUIRE(features.no_ring_because.empty());
  for (const Feature& feature : features.list) {
    INFO(feature.name);
    REQUIRE((feature.found || !feature.required));
    REQUIRE_FALSE(feature.used_for.empty());
  }
  REQUIRE(features.check_floor());
}

TEST_CASE("what the floor lacks is named in one sentence, with a way to get it") {
  const Features old{
      .kernel_release = "5.10.0",
      .list = {{"this", "6.0", "something", true, false},
               {"that", "5.19", "something", true, true},
               {"more", "6.12", "something", false, false},
               {"those", "6.1", "something", true, false}},
      .no_ring_because = {},
  };
  const auto floor = old.check_floor();
  REQUIRE_FALSE(floor);
  REQUIRE(floor.error().message ==
          "this kernel (5.10.0) lacks this (Linux 6.0), those (Linux 6.1); run Linux 6.1 or newer, "
          "such as Debian 12's");
}

TEST_CASE("without any ring, the reason is the sentence") {
  const Features none{.kernel_release = "6.1.0", .list = {}, .no_ring_because = "not today"};
  REQUIRE(none.check_floor().error().message == "not today");
}

/// Has all of `system_calls` fail with `error` from now on, in this process.
bool deny(const std::vector<unsigned>& system_calls, unsigned error) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : system_calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Whether `sentence` has all of `parts`; says it when it does not.
bool has_all(const std::string& sentence, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (sentence.find(part) != std::string::npos) continue;
    std::fprintf(stderr, "\"%s\" does not say \"%s\"\n", sentence.c_str(), part.c_str());
    return false;
  }
  return true;
}

TEST_CASE("a filter that denies one of the three calls is named with that call") {
  const auto [call, name] = GENERATE(table<unsigned, std::string>({
      {__NR_io_uring_setup, "io_uring_setup"},
      {__NR_io_uring_enter, "io_uring_enter"},
      {__NR_io_uring_register, "io_uring_register"},
  }));
  const auto [error, word] = GENERATE(table<unsigned, std::string>({
      {EPERM, "Operation not permitted"},
      {ENOSYS, "Function not implemented"},
      {EACCES, "Permission denied"},
  }));
  INFO(name << ": " << word);
  const std::vector<std::string> parts{name, word, "is denied", "by a seccomp filter", "allow"};
  const int failed = in_child([&] {
    const SystemClock clock;
    if (!deny({call}, error)) return 1;
    if (!has_all(probe_features().no_ring_because, parts)) return 2;
    if (probe_features().check_floor()) return 3;
    const auto ring = Ring::create({.clock = clock, .frame_memory_bytes = 1U << 20});
    if (ring || !has_all(ring.error().message, parts)) return 4;
    return 0;
  });
  REQUIRE(failed == 0);
}

TEST_CASE("a filter that leaves io_uring alone is in nobody's way") {
  const int failed = in_child([] {
    if (!deny({__NR_kexec_load}, EPERM)) return 1;
    if (!look_around().seccomp_filter) return 2;
    return probe_features().check_floor() ? 0 : 3;
  });
  REQUIRE(failed == 0);
}

TEST_CASE("each way that a ring's set-up fails has its own advice") {
  const Surroundings open{
      .kernel_release = "6.6.0", .io_uring_disabled = 0, .seccomp_filter = false};
  const Surroundings filtered{
      .kernel_release = "6.6.0", .io_uring_disabled = 0, .seccomp_filter = true};
  const Surroundings for_a_group{
      .kernel_release = "6.6.0", .io_uring_disabled = 1, .seccomp_filter = true};
  const Surroundings for_nobody{
      .kernel_release = "6.6.0", .io_uring_disabled = 2, .seccomp_filter = true};
  const auto advises = [](const std::string& sentence, const char* advice) {
    INFO(sentence);
    return sentence.find(advice) != std::string::npos;
  };
  CHECK(advises(explain_setup_error(ENOSYS, open), "(6.6.0) has no io_uring; run Linux 6.1"));
  CHECK(advises(explain_setup_error(ENOSYS, filtered), "by a seccomp filter; allow"));
  CHECK(advises(explain_setup_error(EPERM, filtered), "by a seccomp filter; allow"));
  CHECK(advises(explain_setup_error(EPERM, open), "no seccomp filter is set"));
  CHECK(advises(explain_setup_error(EACCES, open), "SELinux"));
  CHECK(advises(explain_setup_error(EPERM, for_a_group), "kernel.io_uring_group"));
  CHECK(advises(explain_setup_error(EPERM, for_a_group), "io_uring_disabled=1"));
  CHECK(advises(explain_setup_error(EPERM, for_nobody), "off by kernel.io_uring_disabled=2"));
  CHECK(advises(explain_setup_error(EINVAL, open), "(6.6.0) is too old"));
  CHECK(advises(explain_setup_error(ENOMEM, open), "LimitMEMLOCK="));
  CHECK(advises(explain_setup_error(EMFILE, open), "LimitNOFILE="));
  CHECK(advises(explain_setup_error(EIO, open), "Input/output error"));
  CHECK(advises(explain_denied_call("io_uring_enter", EPERM, open), "no seccomp filter is set"));
  CHECK(advises(explain_denied_call("io_uring_enter", ENOSYS, filtered),
                "io_uring_enter, but not io_uring_setup, is denied here (Function not"));
}

}  // namespace
}  // namespace ringcast::uring
