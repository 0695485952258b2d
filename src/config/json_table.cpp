#include "config/json_table.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ringcast::config {
namespace {

using nlohmann::json;

/// Deeper than any setting.
constexpr int depth_max = 8;

Result<toml::table> table_of(const json& object, int depth);

std::unexpected<Error> too_deep() {
  return fail("The body is nested too deeply.");
}

/// Appends `value` to `out`.
Result<void> append(toml::array& out, const std::string& name, const json& value, int depth) {
  switch (value.type()) {
    case json::value_t::string:
      out.push_back(value.get<std::string>());
      return {};
    case json::value_t::boolean:
      out.push_back(value.get<bool>());
      return {};
    case json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() > INT64_MAX) {
        return fail(fmt::format("{} is too large a number.", name));
      }
      [[fallthrough]];
    case json::value_t::number_integer:
      out.push_back(value.get<std::int64_t>());
      return {};
    case json::value_t::number_float:
      out.push_back(value.get<double>());
      return {};
    case json::value_t::object: {
      auto table = table_of(value, depth + 1);
      if (!table) return std::unexpected(table.error());
      out.push_back(std::move(*table));
      return {};
    }
    case json::value_t::array: {
      if (depth == depth_max) return too_deep();
      toml::array array;
      for (const json& element : value) {
        if (auto appended = append(array, name, element, depth + 1); !appended) return appended;
      }
      out.push_back(std::move(array));
      return {};
    }
    default:
      return fail(fmt::format("{} is null; leave it out.", name));
  }
}

Result<toml::table> table_of(const json& object, int depth) {
  if (depth > depth_max) return too_deep();
  toml::table table;
  for (const auto& [key, value] : object.items()) {
    toml::array one;
    if (auto appended = append(one, key, value, depth); !appended) {
      return std::unexpected(appended.error());
    }
    one.front().visit([&, &its_key = key]<class Node>(Node& node) {
      table.insert_or_assign(its_key, std::move(node));
    });
  }
  return table;
}

/// nlohmann's parser lets a later key of one name replace the earlier: a mistake that would go
/// unnoticed.
class KeyChecker {
 public:
  bool operator()(int /*depth*/, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        keys_.emplace_back();
        break;
      case json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys_.back().insert(parsed.get<std::string>()).second && twice.empty()) {
          twice = parsed.get<std::string>();
        }
        break;
      default:
        break;
    }
    return true;
  }
  std::string twice;

 private:
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

Result<toml::table> parse_json(std::string_view text) {
  KeyChecker checker;
  const json parsed = json::parse(
      text,
      [&](int depth, json::parse_event_t event, json& value) {
        return checker(depth, event, value);
      },
      false);
  if (parsed.is_discarded() || !parsed.is_object()) {
    return fail(
        "The body is not a JSON object, such as {\"name\":\"lobby\",\"simulation\":\"arena\"}.");
  }
  if (!checker.twice.empty()) return fail(fmt::format("{} is given twice.", checker.twice));
  return table_of(parsed, 0);
}

}  // namespace ringcast::config
