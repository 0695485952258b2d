#include "config/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

namespace ringcast::config {
namespace {

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

Line line_in_file(const toml::node& node) {
  return node.source().begin.line;
}

/// A scalar as a simulation gets it; nothing for what is none.
std::optional<std::string> text_of(const toml::node& node) {
  if (auto text = node.value_exact<std::string>()) return text;
  if (const auto integer = node.value_exact<std::int64_t>()) return fmt::format("{}", *integer);
  if (const auto real = node.value_exact<double>()) return fmt::format("{}", *real);
  if (const auto boolean = node.value_exact<bool>()) return *boolean ? "true" : "false";
  return std::nullopt;
}

const toml::table no_table;

}  // namespace

void TomlReport::problem(Line line, std::string sentence) {
  if (has_problem() && line_ <= line) return;
  line_ = line;
  sentence_ = std::move(sentence);
}

Error TomlReport::error() const {
  return {place(line_) + sentence_};
}

std::string TomlReport::place(Line line) const {
  return fmt::format("{}:{}: ", file_, line);
}

const toml::node* TomlTable::find(std::string_view key) {
  read_keys_.emplace_back(key);
  report_->known_key(dotted(key));
  return table_->get(key);
}

std::string TomlTable::dotted(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void TomlTable::problem(std::string_view key, std::string_view sentence) const {
  report_->problem(line_of(key), fmt::format("{} {}", dotted(key), sentence));
}

void TomlTable::problem(std::string_view key, std::size_t element,
                        std::string_view sentence) const {
  const toml::array* list = table_->get_as<toml::array>(key);
  const toml::node* node = list == nullptr ? nullptr : list->get(element);
  report_->problem(node == nullptr ? line_of(key) : line_in_file(*node),
                   fmt::format("{} {}", dotted(key), sentence));
}

void TomlTable::conflict(std::string_view key, std::string_view other,
                         std::string_view sentence) const {
  report_->problem(line_of(has(key) ? key : other), fmt::format("{} {}", dotted(key), sentence));
}

void TomlTable::wrong_type(std::string_view key, std::string_view wanted,
                           const toml::node& node) const {
  report_->problem(line_in_file(node),
                   fmt::format("{} must be {}, not {}", dotted(key), wanted, kind_of(node)));
}

Line TomlTable::line_of(std::string_view key) const {
  const toml::node* node = table_->get(key);
  return line_in_file(node == nullptr ? *table_ : *node);
}

std::string TomlTable::place_of(std::string_view key) const {
  return has(key) ? report_->place(line_of(key)) : std::string();
}

void TomlTable::read_integer(std::string_view key, std::uint64_t& value, Range range) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto integer = node->value_exact<std::int64_t>();
  if (!integer) return wrong_type(key, "an integer", *node);
  if (*integer < 0 || !range.holds(static_cast<std::uint64_t>(*integer))) {
    return problem(key, fmt::format("must be {} to {}, not {}", range.min, range.max, *integer));
  }
  value = static_cast<std::uint64_t>(*integer);
}

void TomlTable::read(std::string_view key, bool& value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto boolean = node->value_exact<bool>();
  if (!boolean) return wrong_type(key, "true or false", *node);
  value = *boolean;
}

void TomlTable::read(std::string_view key, std::string& value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const auto text = node->value_exact<std::string>();
  if (!text) return wrong_type(key, "a string", *node);
  value = *text;
}

void TomlTable::read_text_or_number(std::string_view key, std::string& value) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (const auto text = node->value_exact<std::string>()) {
    value = *text;
  } else if (const auto number = node->value_exact<std::int64_t>()) {
    value = std::to_string(*number);
  } else {
    wrong_type(key, "a string or an integer", *node);
  }
}

void TomlTable::read(std::string_view key, std::vector<std::string>& values) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return wrong_type(key, "a list of strings", *node);
  std::vector<std::string> found;
  for (const toml::node& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) return wrong_type(key, "a list of strings", element);
    found.push_back(*text);
  }
  values = std::move(found);
}

void TomlTable::read_milliseconds(std::string_view key, Nanoseconds& value, Range range) {
  using std::chrono::milliseconds;
  auto count = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(value).count());
  read_integer(key, count, range);
  value = milliseconds(count);
}

std::size_t TomlTable::read_word(std::string_view key, std::span<const std::string_view> words) {
  const toml::node* node = find(key);
  if (node == nullptr) return words.size();
  const auto word = node->value_exact<std::string>();
  if (!word) {
    wrong_type(key, "a string", *node);
    return words.size();
  }
  const auto found = std::ranges::find(words, *word);
  if (found == words.end()) {
    problem(key, fmt::format("must be one of {}, not \"{}\"", fmt::join(words, ", "), *word));
  }
  return static_cast<std::size_t>(found - words.begin());
}

TomlTable TomlTable::table(std::string_view key) {
  const toml::node* node = find(key);
  const toml::table* table = node == nullptr ? &no_table : node->as_table();
  if (table == nullptr) wrong_type(key, "a table", *node);
  return {table == nullptr ? no_table : *table, dotted(key), *report_};
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
  std::vector<TomlTable> found;
  const toml::node* node = find(key);
  if (node == nullptr) return found;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    wrong_type(key, "a list of tables", *node);
    return found;
  }
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      found.emplace_back(*table, dotted(key), *report_);
    } else {
      wrong_type(key, "a list of tables", element);
    }
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> TomlTable::texts() {
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& [key, node] : *table_) {
    read_keys_.emplace_back(key.str());
    if (auto text = text_of(node)) {
      found.emplace_back(key.str(), std::move(*text));
    } else {
      wrong_type(key.str(), "a string, a number or a boolean", node);
    }
  }
  return found;
}

void TomlTable::refuse_other_keys() const {
  for (const auto& [key, node] : *table_) {
    if (std::ranges::find(read_keys_, key.str()) == read_keys_.end()) {
      report_->problem(key.source().begin.line,
                       fmt::format("unknown key \"{}\"", dotted(key.str())));
    }
  }
}

namespace {

void add_parts(const toml::table& table, const std::string& prefix,
               std::vector<std::string>& parts) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      add_parts(*inner, name + '.', parts);
    } else {
      parts.push_back(name);
    }
  }
}

}  // namespace

std::vector<std::string> parts_of(const toml::table& document) {
  std::vector<std::string> parts;
  toml::table others = document;
  if (const toml::array* rooms = document.get_as<toml::array>("room")) {
    others.erase("room");
    for (const toml::node& node : *rooms) {
      const toml::table* room = node.as_table();
      if (room == nullptr) continue;
      parts.push_back(fmt::format("room \"{}\"", (*room)["name"].value_or(std::string())));
      add_parts(*room, parts.back() + '.', parts);
    }
  }
  if (parts.empty()) parts.emplace_back("room \"arena\"");
  add_parts(others, "", parts);
  std::ranges::sort(parts);
  return parts;
}

Result<toml::table> parse_toml(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return fail(fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
}

}  // namespace ringcast::config
