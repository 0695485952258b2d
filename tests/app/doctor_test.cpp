#include "app/doctor.h"

#include <algorithm>
#include <string>

#include "app/socket_plan.h"
#include "catch.h"

namespace ringcast::app {
namespace {

MachineFacts good_machine() {
  return {.features = {.kernel_release = "6.1.0",
                       .list = {{.name = "single issuer",
                                 .since = "6.0",
                                 .used_for = "one thread a ring",
                                 .required = true,
                                 .found = true},
                                {.name = "usage reports",
                                 .since = "6.2",
                                 .used_for = "zero-copy sends",
                                 .required = false,
                                 .found = true}},
                       .no_ring_because = ""},
          .registered_bytes = config::Config{}.memory.registered_bytes,
          .open_files = {.soft = 1'024, .hard = 1'048'576},
          .memory_lock = {.soft = 8U << 20, .hard = 8U << 20},
          .may_lock_any = false,
          .somaxconn = 4'096,
          .max_syn_backlog = 4'096};
}

/// The only finding that is not good; fails when there are more or none.
Finding complaint(const MachineFacts& facts, const config::Config& config = {}) {
  const Diagnosis diagnosis = diagnose(facts, config);
  const auto not_good = [](const Finding& finding) { return finding.mark != Finding::Mark::good; };
  INFO(to_text(diagnosis));
  REQUIRE(std::ranges::count_if(diagnosis.findings, not_good) == 1);
  CHECK(diagnosis.can_serve() ==
        (std::ranges::find_if(diagnosis.findings, not_good)->mark != Finding::Mark::bad));
  return *std::ranges::find_if(diagnosis.findings, not_good);
}

TEST_CASE("a good machine can serve and the text says so") {
  const Diagnosis diagnosis = diagnose(good_machine(), {});
  CHECK(diagnosis.can_serve());
  const std::string text = to_text(diagnosis);
  CHECK(text.find("ok     kernel: 6.1.0\n") == 0);
  CHECK(text.find("ok     single issuer (Linux 6.0): one thread a ring\n") != std::string::npos);
  CHECK(text.find("(the soft limit of 1024 is raised at start)\n") != std::string::npos);
  CHECK(text.ends_with("\nThis machine can serve.\n"));
}

TEST_CASE("without a ring there is no serving") {
  MachineFacts facts = good_machine();
  facts.features.no_ring_because = "io_uring is switched off; sysctl";
  const Finding finding = complaint(facts);
  CHECK(finding.mark == Finding::Mark::bad);
  CHECK(finding.sentence == "io_uring: io_uring is switched off; sysctl");
  CHECK(to_text(diagnose(facts, {})).ends_with("\nThis machine can't serve this configuration.\n"));
}

TEST_CASE("a missing feature is bad when it is required and lesser when it is not") {
  MachineFacts facts = good_machine();
  facts.features.list[1].found = false;
  CHECK(complaint(facts).mark == Finding::Mark::lesser);
  CHECK(complaint(facts).sentence ==
        "missing: usage reports (Linux 6.2): zero-copy sends; comes with Linux 6.2 or newer");
  facts = good_machine();
  facts.features.list[0].found = false;
  CHECK(complaint(facts).mark == Finding::Mark::bad);
  CHECK(complaint(facts).sentence ==
        "missing: single issuer (Linux 6.0): one thread a ring; run Linux 6.0 or newer");
}

TEST_CASE("too few open files for the configured connections are told with the number") {
  MachineFacts facts = good_machine();
  facts.open_files.hard = 16'467;
  CHECK(complaint(facts).mark == Finding::Mark::bad);
  CHECK(complaint(facts).sentence ==
        "connections: 16383 instead of core.connections_max = 16384, since the limit of open files "
        "is 16467; raise LimitNOFILE= (ulimit -Hn) to 16468 or lower core.connections_max");
  config::Config fewer;
  fewer.core.connections_max = 16'383;
  CHECK(diagnose(facts, fewer).can_serve());
  facts.open_files = {.soft = unlimited, .hard = unlimited};
  CHECK(diagnose(facts, {}).can_serve());
}

TEST_CASE("connections are direct sockets when they would not fit into the open files") {
  config::Config config;
  config.core.connections_max = 19'000;
  config.core_plan.cpus = {0, 1};
  CHECK(plan_sockets(config, 40'000, true).direct_sockets == 0);
  const SocketPlan direct = plan_sockets(config, 20'000, true);
  CHECK(direct.direct_sockets == 19'016);
  CHECK(direct.open_files_needed < 100);
  CHECK_FALSE(shortage(direct, config, 20'000));
  CHECK(shortage(plan_sockets(config, 20'000, false), config, 20'000) ==
        "connections: 9948 on each core instead of core.connections_max = 19000, since the limit "
        "of open files is 20000; raise LimitNOFILE= (ulimit -Hn) to 38104 or lower "
        "core.connections_max");
  // The addresses of their peers could not be had.
  config.core.address.connections_max = 1;
  const SocketPlan plain = plan_sockets(config, 20'000, true);
  CHECK(plain.direct_sockets == 0);
  CHECK(plain.connections_cut_to == 9'948);
  config.core.address = {};
  config.direct_sockets = config::DirectSockets::off;
  CHECK(plan_sockets(config, 20'000, true).direct_sockets == 0);
  config.direct_sockets = config::DirectSockets::on;
  CHECK(plan_sockets(config, 40'000, true).direct_sockets == 19'016);
  // No table is larger than the limit.
  const SocketPlan cut = plan_sockets(config, 4'096, true);
  CHECK(cut.direct_sockets == 4'096);
  CHECK(shortage(cut, config, 4'096) ==
        "connections: 4080 on each core instead of core.connections_max = 19000, since the limit "
        "of open files is 4096; raise LimitNOFILE= (ulimit -Hn) to 19016 or lower "
        "core.connections_max");
}

TEST_CASE("less registered memory than wanted is lesser, a ring that can't be made is bad") {
  MachineFacts facts = good_machine();
  facts.registered_bytes = std::size_t{2} << 20;
  CHECK(complaint(facts).mark == Finding::Mark::lesser);
  CHECK(complaint(facts).sentence ==
        "memory: 2048 KiB of 65536 KiB frame memory registered for zero-copy sends (memory-lock "
        "limit 8192 KiB), 4096 KiB wanted; raise LimitMEMLOCK= (ulimit -l) or lower "
        "memory.registered_bytes");
  facts.registered_bytes = fail("no memory; buy some");
  CHECK(complaint(facts).mark == Finding::Mark::bad);
  CHECK(complaint(facts).sentence == "no memory; buy some");
}

TEST_CASE("a backlog that the kernel cuts is lesser") {
  MachineFacts facts = good_machine();
  facts.somaxconn = 128;
  CHECK(complaint(facts).mark == Finding::Mark::lesser);
  CHECK(complaint(facts).sentence ==
        "net.core.somaxconn = 128, tcp.backlog = 4096: a rush of connections is cut to 128; "
        "sysctl net.core.somaxconn=4096");
  facts = good_machine();
  facts.max_syn_backlog.reset();
  CHECK(complaint(facts).sentence == "net.ipv4.tcp_max_syn_backlog cannot be read here");
}

}  // namespace
}  // namespace ringcast::app
