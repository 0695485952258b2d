// A TOML document read key by key into options that already hold their defaults. Reading never
// stops: of all that is wrong, the problem that stands first in the file is the one told.
// A key that nobody has asked for is a problem, too.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "base/clock.h"
#include "base/result.h"
#include "config/range.h"

namespace ringcast::config {

using Line = std::uint32_t;

/// The problem that stands first, and which keys there could be.
class TomlReport {
 public:
  explicit TomlReport(std::string file) : file_(std::move(file)) {}

  /// `sentence` without its place. Of two on one line the first reported stays.
  void problem(Line line, std::string sentence);
  [[nodiscard]] bool has_problem() const { return !sentence_.empty(); }
  [[nodiscard]] Error error() const;
  [[nodiscard]] const std::string& sentence() const { return sentence_; }
  /// What a message about `line` begins with: "FILE:LINE: ".
  [[nodiscard]] std::string place(Line line) const;

  void known_key(std::string path) { known_keys_.push_back(std::move(path)); }
  [[nodiscard]] const std::vector<std::string>& known_keys() const { return known_keys_; }

 private:
  std::string file_;
  std::string sentence_;
  Line line_ = 0;
  std::vector<std::string> known_keys_;
};

/// One table of a document. Values are left alone when their key is missing or wrong.
class TomlTable {
 public:
  /// `path` is the table's dotted name, empty for the document itself. Both outlive this.
  TomlTable(const toml::table& table, std::string path, TomlReport& report)
      : table_(&table), path_(std::move(path)), report_(&report) {}

  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void read(std::string_view key, T& value, Range range) {
    std::uint64_t wide = value;
    read_integer(key, wide, range);
    value = static_cast<T>(wide);
  }
  void read(std::string_view key, bool& value);
  void read(std::string_view key, std::string& value);
  void read(std::string_view key, std::vector<std::string>& values);
  /// A string, or an integer as text.
  void read_text_or_number(std::string_view key, std::string& value);
  void read_milliseconds(std::string_view key, Nanoseconds& value, Range range);
  /// One of some words, each with its meaning.
  template <class T, std::size_t count>
  void read(std::string_view key, T& value,
            const std::array<std::pair<std::string_view, T>, count>& words) {
    std::array<std::string_view, count> names;
    std::ranges::transform(words, names.begin(), &std::pair<std::string_view, T>::first);
    const std::size_t chosen = read_word(key, names);
    if (chosen < count) value = words[chosen].second;
  }

  /// The table under `key`; an empty one when there is none.
  [[nodiscard]] TomlTable table(std::string_view key);
  /// The tables of the array under `key`.
  [[nodiscard]] std::vector<TomlTable> tables(std::string_view key);
  /// All values of this table as text, for who gives the keys their meaning.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> texts();

  /// Every key not read so far is a problem.
  void refuse_other_keys() const;

  [[nodiscard]] bool has(std::string_view key) const { return table_->contains(key); }
  /// Where `key` stands, or the table when it has no such key.
  [[nodiscard]] Line line_of(std::string_view key) const;
  /// What a message about `key` begins with; empty when there is no such key.
  [[nodiscard]] std::string place_of(std::string_view key) const;
  /// A problem at `key`: "PATH.KEY SENTENCE".
  void problem(std::string_view key, std::string_view sentence) const;
  /// The same of an element of the list under `key`: at its line.
  void problem(std::string_view key, std::size_t element, std::string_view sentence) const;
  /// The same of two keys that don't go together: at `key`, or at `other` when only that is given.
  void conflict(std::string_view key, std::string_view other, std::string_view sentence) const;
  [[nodiscard]] TomlReport& report() const { return *report_; }

 private:
  [[nodiscard]] const toml::node* find(std::string_view key);
  [[nodiscard]] std::string dotted(std::string_view key) const;
  void wrong_type(std::string_view key, std::string_view wanted, const toml::node& node) const;
  void read_integer(std::string_view key, std::uint64_t& value, Range range);
  [[nodiscard]] std::size_t read_word(std::string_view key,
                                      std::span<const std::string_view> words);

  const toml::table* table_;
  std::string path_;
  TomlReport* report_;
  std::vector<std::string> read_keys_;
};

/// The dotted name of every value in a document, sorted, and `room "NAME"` of each room, that of
/// the default one included.
[[nodiscard]] std::vector<std::string> parts_of(const toml::table& document);

/// Parses a document; the error names `file` and the line.
[[nodiscard]] Result<toml::table> parse_toml(std::string_view text, const std::string& file);

}  // namespace ringcast::config
