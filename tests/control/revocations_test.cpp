#include "control/revocations.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "auth/key_files.h"
#include "catch.h"
#include "sim/sim_clock.h"

namespace ringcast::server {
namespace {

using auth::Ledger;
using auth::Revocation;

constexpr auth::UnixSeconds now = 1'800'000'000;

auth::Options options_with_key() {
  auth::Options options;
  options.keys = {*auth::parse_secret("0123456789abcdef0123456789abcdef")};
  options.leeway = std::chrono::seconds(30);
  options.lifetime_max = std::chrono::seconds(3'600);
  return options;
}

TEST_CASE("revocations are read as they are written, whatever a subject is called") {
  const std::vector<Revocation> revocations{
      {Revocation::Of::subject, "ada \"the\" é\\", now, now + 100},
      {Revocation::Of::id, "x", 0, now + 200}};
  const auto read = decode_revocations(encode(revocations));
  REQUIRE(read.has_value());
  CHECK(*read == revocations);
  CHECK(decode_revocations(encode(std::vector<Revocation>{}))->empty());
}

TEST_CASE("a file that is cut short, or is something else, is no list of revocations") {
  const std::string whole =
      encode(std::vector<Revocation>{{Revocation::Of::subject, "ada", now, now + 100}});
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    CHECK_FALSE(decode_revocations(whole.substr(0, size)).has_value());
  }
  for (const std::string_view text :
       {R"({"version":2,"revocations":[]})", R"({"version":1,"revocations":[{}]})",
        R"({"version":1,"revocations":[7]})",
        R"({"version":1,"revocations":[{"subject":"a","until":1}]})",
        R"({"version":1,"revocations":[{"subject":"a","jti":"b","until":1,"issued_until":1}]})"}) {
    INFO(text);
    CHECK_FALSE(decode_revocations(text).has_value());
  }
}

TEST_CASE("a revocation holds until no token that was good can be good any more") {
  const auto subject = parse_revocation(R"({"subject":"ada"})", options_with_key(), now);
  REQUIRE(subject.has_value());
  CHECK(*subject == Revocation{Revocation::Of::subject, "ada", now + 30, now + 3'600 + 60});
  const auto id = parse_revocation(R"({"jti":"x"})", options_with_key(), now);
  REQUIRE(id.has_value());
  CHECK(id->of == Revocation::Of::id);
  CHECK(id->value == "x");
}

TEST_CASE("a body that does not say who is refused") {
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"subject":""})"),
        std::string(R"({"subject":7})"), std::string(R"({"subject":"a","jti":"b"})"),
        std::string(R"({"subject":"a","until":1})"), std::string(R"({"sub":"a"})"),
        R"({"subject":")" + std::string(257, 'a') + "\"}"}) {
    INFO(body);
    CHECK_FALSE(parse_revocation(body, options_with_key(), now).has_value());
  }
}

/// Two cores' mailboxes, and a state directory that goes with it.
struct Fixture {
  Fixture() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    auto opened = StateDirectory::open(path);
    REQUIRE(opened.has_value());
    directory.emplace(std::move(*opened));
    view.readiness = Readiness::serving;
    view.cores = handles;
  }
  ~Fixture() { std::filesystem::remove_all(path); }

  struct Doorbell final : io::Doorbell {
    void ring() noexcept override {}
  };

  std::string path = std::filesystem::temp_directory_path() / "ringcast_revocations_test";
  std::optional<StateDirectory> directory;
  sim::SimClock clock;
  observe::Log log{{.level = observe::LogLevel::error}, clock};
  Doorbell doorbell;
  observe::CoreMetrics metrics;
  ControlToCoreQueue to_first{control_queue_capacity};
  ControlToCoreQueue to_second{control_queue_capacity};
  CoreToControlQueue from{control_queue_capacity};
  std::vector<CoreHandle> handles{{&to_first, &from, &doorbell, &metrics},
                                  {&to_second, &from, &doorbell, &metrics}};
  AdminView view;
  Ledger ledger;
};

TEST_CASE("a revocation is answered when every core has ended what it covers") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, &*f.directory);
  revocations.set_options(options_with_key());
  std::vector<AdminAnswer> answers;
  revocations.revoke(R"({"subject":"ada"})",
                     [&](AdminAnswer answer) { answers.push_back(std::move(answer)); });
  CHECK(answers.empty());
  // It holds for who comes already.
  CHECK(f.ledger.is_revoked("ada", "", std::nullopt));
  const auto mail = f.to_first.pop();
  REQUIRE(mail.has_value());
  const auto& revoke = std::get<Revoke>(*mail);
  CHECK(revoke.revocation->value == "ada");
  REQUIRE(f.to_second.pop().has_value());
  revocations.revoked({.number = revoke.number, .sessions = 2});
  CHECK(answers.empty());
  revocations.revoked({.number = revoke.number, .sessions = 1});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 200);
  CHECK_THAT(answers[0].body, Catch::Matchers::ContainsSubstring("\"sessions_ended\":3"));
  CHECK_THAT(answers[0].body, Catch::Matchers::ContainsSubstring("\"kept_over_restart\":true"));
}

TEST_CASE("that a core could not be told of a revocation is said, whatever the others answer") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, &*f.directory);
  revocations.set_options(options_with_key());
  std::vector<AdminAnswer> answers;
  const auto revoke = [&] {
    revocations.revoke(R"({"subject":"ada"})",
                       [&](AdminAnswer answer) { answers.push_back(std::move(answer)); });
  };
  while (f.to_second.push(Revoke{})) {
  }
  revoke();
  CHECK(answers.empty());
  const auto mail = f.to_first.pop();
  REQUIRE(mail.has_value());
  revocations.revoked({.number = std::get<Revoke>(*mail).number, .sessions = 1});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 503);
  CHECK_THAT(answers[0].body, Catch::Matchers::ContainsSubstring("1 of the cores were too busy"));
  while (f.to_first.push(Revoke{})) {
  }
  revoke();
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].status == 503);
}

TEST_CASE("revocations are there after a restart") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, &*f.directory);
  revocations.set_options(options_with_key());
  revocations.revoke(R"({"jti":"x"})", [](const AdminAnswer&) {});
  const auth::UnixSeconds at = f.clock.unix_now() / 1'000'000'000;
  Ledger next;
  REQUIRE(restore_revocations(*f.directory, next, at).has_value());
  CHECK(next.is_revoked("anybody", "x", at));
  Ledger much_later;
  REQUIRE(restore_revocations(*f.directory, much_later, at + 100'000).has_value());
  CHECK_FALSE(much_later.is_revoked("anybody", "x", at));
}

TEST_CASE("a state directory without revocations has none, and one with others' bytes is refused") {
  Fixture f;
  CHECK(restore_revocations(*f.directory, f.ledger, now).has_value());
  std::ofstream(f.path + "/" + std::string(revocations_file)) << "{\"version\":1,";
  const auto refused = restore_revocations(*f.directory, f.ledger, now);
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Matchers::ContainsSubstring("revocations.json"));
}

TEST_CASE("a revocation that can't be kept holds all the same, and its answer says so") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, &*f.directory);
  revocations.set_options(options_with_key());
  std::filesystem::remove_all(f.path);
  std::vector<std::uint16_t> statuses;
  revocations.revoke(R"({"subject":"ada"})",
                     [&](const AdminAnswer& answer) { statuses.push_back(answer.status); });
  CHECK(f.ledger.is_revoked("ada", "", std::nullopt));
  revocations.revoked({.number = 0, .sessions = 0});
  revocations.revoked({.number = 0, .sessions = 0});
  CHECK(statuses == std::vector<std::uint16_t>{500});
}

TEST_CASE("nothing is revoked where no token is asked for, or while the server does not serve") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, nullptr);
  std::vector<std::uint16_t> statuses;
  const auto ask = [&](std::string_view body) {
    revocations.revoke(body, [&](const AdminAnswer& answer) { statuses.push_back(answer.status); });
  };
  ask(R"({"subject":"ada"})");
  revocations.set_options(options_with_key());
  ask("{}");
  f.view.readiness = Readiness::draining;
  ask(R"({"subject":"ada"})");
  CHECK(statuses == std::vector<std::uint16_t>{409, 400, 503});
}

TEST_CASE("so many wait for the cores, and all of them are answered when the server ends") {
  Fixture f;
  Revocations revocations(f.view, f.log, f.clock, &f.ledger, nullptr);
  revocations.set_options(options_with_key());
  std::vector<std::uint16_t> statuses;
  for (std::size_t count = 0; count <= Revocations::under_way_max; ++count) {
    revocations.revoke(R"({"subject":"ada"})",
                       [&](const AdminAnswer& answer) { statuses.push_back(answer.status); });
  }
  CHECK(statuses == std::vector<std::uint16_t>{503});
  revocations.give_up();
  CHECK(statuses.size() == 1 + Revocations::under_way_max);
}

}  // namespace
}  // namespace ringcast::server
