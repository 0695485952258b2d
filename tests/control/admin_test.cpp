#include "control/admin.h"

#include <memory>
#include <string>

#include "catch.h"

namespace ringcast::server {
namespace {

TEST_CASE("health and readiness") {
  AdminView view;
  CHECK(answer("GET", "/healthz", view).status == 200);
  CHECK(answer("HEAD", "/healthz", view).status == 200);
  CHECK(answer("GET", "/readyz", view).status == 503);
  CHECK(answer("GET", "/readyz", view).body == "starting\n");
  view.readiness = Readiness::serving;
  CHECK(answer("GET", "/readyz", view).status == 200);
  CHECK(answer("GET", "/readyz?verbose", view).status == 200);
  view.readiness = Readiness::draining;
  CHECK(answer("GET", "/readyz", view).status == 503);
  CHECK(answer("GET", "/readyz", view).body == "draining\n");
}

TEST_CASE("another path is not found and another method is not allowed") {
  const AdminView view;
  for (const std::string_view target : {"/live", "", "/healthz/", "/metric", "*", "?/healthz"}) {
    INFO(target);
    CHECK(answer("GET", target, view).status == 404);
  }
  for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"}) {
    INFO(method);
    CHECK(answer(method, "/healthz", view).status == 405);
    CHECK(answer("HEAD", "/live/events", view).allow == "GET");
  }
}

TEST_CASE("rooms are told as JSON") {
  RoomOptions arena;
  arena.name = "arena";
  arena.simulation = "arena";
  RoomOptions lobby;
  lobby.name = "lobby";
  lobby.simulation = "echo";
  lobby.rate_hz = 20;
  const auto busy = std::make_unique<observe::RoomMetrics>();
  const auto idle = std::make_unique<observe::RoomMetrics>();
  busy->members.set(500);
  busy->tick.set(3'600);
  busy->snapshot_bytes.set(1'226);
  busy->tick_duration.record(std::chrono::microseconds(1));
  const std::vector<RunningRoom> rooms = {{room::RoomId{0}, &arena, 0, busy.get()},
                                          {room::RoomId{1}, &lobby, 1, idle.get()}};
  AdminView view;
  CHECK(answer("GET", "/rooms", view).body == "{\"rooms\":[]}\n");
  view.rooms = rooms;
  const AdminAnswer answered = answer("GET", "/rooms", view);
  CHECK(answered.status == 200);
  CHECK(answered.content_type == "application/json");
  CHECK(answered.body ==
        R"({"rooms":[{"name":"arena","simulation":"arena","rate_hz":60,"members":500,)"
        R"("tick":3600,"core":0,"spread":false,"snapshot_bytes":1226,)"
        R"("tick_duration_us":{"p50":1.023,"p95":1.023,"p99":1.023},)"
        R"("tick_handed_over_us":{"p50":0,"p95":0,"p99":0}},)"
        R"({"name":"lobby","simulation":"echo","rate_hz":20,"members":0,"tick":0,"core":1,)"
        R"("spread":false,"snapshot_bytes":0,"tick_duration_us":{"p50":0,"p95":0,"p99":0},)"
        R"("tick_handed_over_us":{"p50":0,"p95":0,"p99":0}}]})"
        "\n");
  CHECK(answer("GET", "/rooms/lobby?x", view).body.starts_with(R"({"name":"lobby",)"));
  CHECK(answer("GET", "/rooms/%6Cobby", view).body.starts_with(R"({"name":"lobby",)"));
  CHECK(answer("GET", "http://localhost:9001/rooms/lobby", view).status == 200);
  CHECK(answer("GET", "/rooms%2Flobby", view).status == 404);
  CHECK(answer("GET", "http://?/rooms/lobby", view).status == 404);
  CHECK(answer("GET", "/rooms/none", view).status == 404);
  CHECK(answer("GET", "/rooms/none", view).body == "There is no room of that name.\n");
}

TEST_CASE("a method that a path does not have is answered with those that it has") {
  const AdminView view;
  CHECK(answer("PUT", "/rooms", view).allow == "GET, HEAD, POST");
  CHECK(answer("POST", "/rooms/lobby", view).allow == "GET, HEAD, DELETE");
  CHECK(answer("POST", "/rooms/%6Cobby", view).allow == "GET, HEAD, DELETE");
  CHECK(answer("POST", "/metrics", view).allow == "GET, HEAD");
  CHECK(answer("POST", "/metrics", view).body == "Only GET, HEAD.\n");
}

TEST_CASE("the live view's files are there, and load nothing from elsewhere") {
  const AdminView view;
  for (const auto& [target, type] : {std::pair("/", "text/html; charset=utf-8"),
                                     {"/live.css", "text/css; charset=utf-8"},
                                     {"/live.js", "text/javascript; charset=utf-8"}}) {
    INFO(target);
    const AdminAnswer answered = answer("GET", target, view);
    CHECK(answered.status == 200);
    CHECK(answered.content_type == type);
    CHECK(answered.body.size() > 500);
    CHECK(answered.body.find("https://") == std::string::npos);
  }
}

TEST_CASE("metrics are of every core and room") {
  const auto first = std::make_unique<observe::CoreMetrics>();
  const auto second = std::make_unique<observe::CoreMetrics>();
  (*second)[observe::Level::sessions].set(7);
  const std::vector<CoreHandle> cores = {{nullptr, nullptr, nullptr, first.get()},
                                         {nullptr, nullptr, nullptr, second.get()}};
  AdminView view;
  view.cores = cores;
  const AdminAnswer answered = answer("GET", "/metrics", view);
  CHECK(answered.status == 200);
  CHECK(answered.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answered.body.find("\nringcast_sessions{core=\"0\"} 0\n") != std::string::npos);
  CHECK(answered.body.find("\nringcast_sessions{core=\"1\"} 7\n") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::server
