#include "arena/arena.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "arena/codec.h"
#include "arena/replicated.h"
#include "arena/world.h"

namespace ringcast::arena {
namespace {

class Arena final : public Simulation {
 public:
  Arena(const WorldOptions& options, bool replicates)
      : world_(options), codec_(replicates ? 0 : world_.replicated_max()) {
    if (replicates) replicated_.emplace(world_);
  }

  JoinResult join(const Joining& joining, Outbound& out) override {
    const bool comes_back = world_.own_object(joining.member) != nullptr;
    world_.join(joining.member);
    if (replicated_) {
      replicated_->join(joining.member, world_, *out.world());
    } else if (comes_back) {
      tell_own_object(joining.member, out);
    }
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound&) override {
    world_.leave(member);
    if (replicated_) replicated_->leave(member);
  }
  void away(MemberId member, Outbound&) override { world_.away(member); }
  void back(MemberId member, Outbound& out) override {
    world_.back(member);
    if (!replicated_) tell_own_object(member, out);
  }

  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType type,
                    Outbound& out) override {
    const auto input = type == MessageType::binary ? read_input(payload) : std::nullopt;
    if (!input) return InputResult::malformed;
    if (input->name) world_.rename(member, *input->name);
    world_.steer(member, input->wish);
    if (input->view && replicated_) {
      replicated_->look(member, *input->view, world_, *out.world());
    }
    return InputResult::ok;
  }

  // To each its own: to everyone it would be the square of them.
  void closing(Outbound& out) override {
    world_.for_each_member([&](MemberId member) {
      out.send(Delivery::reliable, member, codec_.event(SessionEnded{member}));
    });
  }

  const Payload* full_state() override { return replicated_ ? nullptr : &codec_.state(world_); }
  [[nodiscard]] const replication::Schema* replication() const override {
    return replicated_ ? &replicated_->schema() : nullptr;
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> save() const override {
    return world_.save();
  }
  [[nodiscard]] bool restore(std::span<const std::byte> saved) override {
    return world_.restore(saved);
  }

  void step(const Tick& tick, Outbound& out) override {
    world_.step(tick.period);
    if (replicated_) {
      replicated_->step(world_, *out.world());
      return world_.forget_events();
    }
    for (const Event& event : world_.events()) {
      out.send(Delivery::reliable, everyone, codec_.event(event));
    }
    world_.forget_events();
    out.send(Delivery::latest, everyone, codec_.state(world_));
  }

 private:
  /// To who has come back to its object: which of them that is only its creation tells.
  void tell_own_object(MemberId member, Outbound& out) {
    const Object* const own = world_.own_object(member);
    if (own == nullptr) return;
    out.send(Delivery::reliable, member, codec_.event(ObjectCreated{*own}));
  }

  World world_;
  Codec codec_;
  std::optional<Replicated> replicated_;
};

/// For a number that follows from the others.
constexpr std::uint32_t follows = UINT32_MAX;

/// What can be configured.
struct Settings {
  std::uint32_t bots = 1'000;
  std::uint32_t players = 1'000;
  std::uint32_t fragments = follows;
  std::uint32_t width = follows;
  std::uint32_t height = follows;
  std::uint32_t replicated = 1;  ///< to each member what it can see
};
/// Everything to everyone, as many as one screen shows.
constexpr Settings plain{.bots = 50, .players = 32, .fragments = 16, .replicated = 0};

struct Parameter {
  std::string_view name;
  std::uint32_t Settings::* place;
  std::uint32_t low;
  std::uint32_t high;
};
constexpr std::array parameters{
    Parameter{"bots", &Settings::bots, 0, 20'000},
    Parameter{"players", &Settings::players, 0, 10'000},
    Parameter{"fragments", &Settings::fragments, 0, 10'000},
    Parameter{"width", &Settings::width, 200, 50'000},
    Parameter{"height", &Settings::height, 200, 50'000},
    Parameter{"replicated", &Settings::replicated, 0, 1},
};

std::string unknown(std::string_view name) {
  return "arena has no parameter '" + std::string(name) +
         "': it takes bots, players, fragments, width, height and replicated";
}

std::string out_of_range(const Parameter& parameter, const std::string& text) {
  return "arena's " + std::string(parameter.name) + " is a whole number from " +
         std::to_string(parameter.low) + " to " + std::to_string(parameter.high) + ", not '" +
         text + "'";
}

std::expected<Settings, std::string> read(const SimulationOptions& options) {
  const auto form = options.parameters.find("replicated");
  Settings settings = form != options.parameters.end() && form->second == "0" ? plain : Settings{};
  for (const auto& [name, text] : options.parameters) {
    const auto* parameter = std::ranges::find(parameters, name, &Parameter::name);
    if (parameter == parameters.end()) return std::unexpected(unknown(name));
    std::uint32_t& value = settings.*parameter->place;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < parameter->low || value > parameter->high) {
      return std::unexpected(out_of_range(*parameter, text));
    }
  }
  return settings;
}

WorldOptions world_options(const Settings& settings, std::uint64_t seed) {
  const float crowds = static_cast<float>(std::max({50U, settings.bots, settings.players})) / 50;
  const auto size = [growth = std::sqrt(crowds)](std::uint32_t configured, float usual) {
    return configured != follows ? static_cast<float>(configured) : std::round(usual * growth);
  };
  return {.seed = seed,
          .bots = settings.bots,
          .players_max = settings.players,
          .fragments_max = settings.fragments != follows
                               ? settings.fragments
                               : static_cast<std::uint32_t>(std::round(16 * crowds)),
          .width = size(settings.width, 1'600),
          .height = size(settings.height, 900)};
}

}  // namespace

std::expected<std::unique_ptr<Simulation>, std::string> make_arena(
    const SimulationOptions& options) {
  const auto settings = read(options);
  if (!settings) return std::unexpected(settings.error());
  return std::make_unique<Arena>(world_options(*settings, options.seed), settings->replicated != 0);
}

}  // namespace ringcast::arena
