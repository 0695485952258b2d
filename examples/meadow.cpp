// A meadow at night. Fireflies wander about it, and everybody who comes carries a lantern through
// it. Each member is sent what is near its own lantern, however large the meadow is and however
// many there are.
//
// An input is two bytes, signed: where the lantern goes along each axis, in 127ths of its speed.
#include "meadow.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ringcast/replication.h"

namespace example {
namespace {

using namespace ringcast;
using replication::ClassId;
using replication::Field;
using replication::ObjectId;
using replication::Point;

constexpr double edge = 8'000;
constexpr double firefly_speed = 60;   // units a second
constexpr double lantern_speed = 250;  // likewise
constexpr std::size_t lanterns_max = 1'000;
constexpr ClassId firefly_class{0};
constexpr ClassId lantern_class{1};
enum Reason : unsigned { left };

class Meadow final : public Simulation {
 public:
  Meadow(unsigned fireflies, std::uint64_t seed) : chance_(static_cast<unsigned>(seed)) {
    schema_.space = {.low = {0, 0}, .high = {edge, edge}};
    schema_.classes = {{.name = "firefly", .fields = {Field::flag("lit")}},
                       {.name = "lantern", .fields = {Field::flag("away")}}};
    schema_.reasons = {"left"};
    schema_.limits.objects = fireflies + static_cast<unsigned>(lanterns_max);
    for (unsigned count = 0; count < fireflies; ++count) {
      fireflies_.push_back({.id = next_id(), .at = anywhere()});
    }
  }

  const replication::Schema* replication() const override { return &schema_; }

  JoinResult join(const Joining& joining, Outbound&) override {
    if (lanterns_.size() == lanterns_max) return refuse_join("the meadow is full", 4'100);
    lanterns_.emplace(joining.member, Lantern{.id = next_id(), .at = anywhere()});
    return {};
  }

  void leave(MemberId member, LeaveReason, Outbound& out) override {
    const auto node = lanterns_.extract(member);
    // Who came and went between two steps was never seen.
    if (node.mapped().is_out) out.world()->remove(node.mapped().id, left);
  }

  void away(MemberId member, Outbound&) override {
    Lantern& lantern = lanterns_.at(member);
    lantern.away = true;
    lantern.dx = lantern.dy = 0;
  }
  void back(MemberId member, Outbound&) override { lanterns_.at(member).away = false; }

  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound&) override {
    if (payload.size() != 2) return InputResult::malformed;
    Lantern& lantern = lanterns_.at(member);
    lantern.dx = static_cast<std::int8_t>(payload[0]) / 127.0;
    lantern.dy = static_cast<std::int8_t>(payload[1]) / 127.0;
    return InputResult::ok;
  }

  void step(const Tick& tick, Outbound& out) override {
    const double seconds = std::chrono::duration<double>(tick.period).count();
    replication::World& world = *out.world();
    for (Firefly& firefly : fireflies_) {
      wander(firefly, seconds);
      const std::array fields{firefly.lit ? 1.0 : 0.0};
      world.put({.id = firefly.id,
                 .object_class = firefly_class,
                 .position = firefly.at,
                 .fields = fields});
    }
    for (auto& [member, lantern] : lanterns_) {
      carry(lantern, seconds);
      const std::array fields{lantern.away ? 1.0 : 0.0};
      world.put({.id = lantern.id,
                 .object_class = lantern_class,
                 .position = lantern.at,
                 .fields = fields,
                 .owner = member});
      if (!lantern.is_out) world.follow(member, lantern.id, {.width = 1'600, .height = 900});
      lantern.is_out = true;
    }
    world.replicate();
  }

 private:
  struct Firefly {
    ObjectId id{};
    Point at{};
    double heading = 0;
    bool lit = false;
  };
  struct Lantern {
    ObjectId id{};
    Point at{};
    double dx = 0;
    double dy = 0;
    bool away = false;
    bool is_out = false;  // it has been put
  };

  ObjectId next_id() { return ObjectId{++newest_id_}; }
  unsigned below(unsigned bound) { return static_cast<unsigned>(chance_()) % bound; }
  Point anywhere() { return {.x = below(8'000) + 0.5, .y = below(8'000) + 0.5}; }

  static void move(Point& at, double dx, double dy) {
    at.x = std::clamp(at.x + dx, 0.0, edge);
    at.y = std::clamp(at.y + dy, 0.0, edge);
  }
  void wander(Firefly& firefly, double seconds) {
    if (below(60) == 0) firefly.heading = below(628) / 100.0;
    if (below(120) == 0) firefly.lit = !firefly.lit;
    const double way = firefly_speed * seconds;
    move(firefly.at, way * std::cos(firefly.heading), way * std::sin(firefly.heading));
  }
  static void carry(Lantern& lantern, double seconds) {
    const double way = lantern_speed * seconds;
    const double faster = std::max(1.0, std::hypot(lantern.dx, lantern.dy));
    move(lantern.at, way * lantern.dx / faster, way * lantern.dy / faster);
  }

  replication::Schema schema_;
  std::mt19937 chance_;
  std::uint32_t newest_id_ = 0;
  std::vector<Firefly> fireflies_;
  std::map<MemberId, Lantern> lanterns_;  // in order: what happens must not depend on addresses
};

}  // namespace

std::expected<std::unique_ptr<Simulation>, std::string> make_meadow(
    const SimulationOptions& options) {
  unsigned fireflies = 500;
  constexpr unsigned most = 5'000;
  for (const auto& [name, text] : options.parameters) {
    if (name != "fireflies") {
      return std::unexpected("meadow has no parameter '" + name + "', only fireflies");
    }
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, fireflies);
    if (error != std::errc() || rest != end || fireflies > most) {
      return std::unexpected("meadow's fireflies is a whole number from 0 to " +
                             std::to_string(most) + ", not '" + text + "'");
    }
  }
  return std::make_unique<Meadow>(fireflies, options.seed);
}

}  // namespace example
