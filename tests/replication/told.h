// What a reader says after a frame, as JSON: the form of the golden vectors, and of what readers in
// other languages are compared with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "replication/reader.h"

namespace ringcast::replication::test {

inline std::string hex(std::span<const std::byte> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

template <class Items, class Write>
void list(std::ostream& out, const Items& items, Write&& write) {
  out << '[';
  const char* comma = "";
  for (const auto& item : items) {
    out << comma;
    comma = ",";
    write(item);
  }
  out << ']';
}

/// What the reader says after a frame, everywhere by ascending id: the order in which a reader
/// keeps its objects is its own.
inline void write_state(std::ostream& out, const Reader& reader) {
  const auto number = [&out](const auto& value) { out << value; };
  const auto ordered = [](std::span<const std::uint32_t> ids) {
    return std::set<std::uint32_t>(ids.begin(), ids.end());
  };
  out << "\"tick\":" << reader.tick() << ",\"input_applied\":" << reader.input_applied()
      << ",\"entered\":";
  list(out, ordered(reader.entered()), number);
  out << ",\"changed\":";
  list(out, ordered(reader.changed()), number);
  std::vector<Reader::Left> all_left(reader.left().begin(), reader.left().end());
  std::ranges::sort(all_left, {}, &Reader::Left::id);
  out << ",\"left\":";
  list(out, all_left, [&out](const Reader::Left& left) {
    out << "{\"id\":" << left.id << ",\"class\":" << int{left.object_class} << ",\"reason\":";
    if (left.reason) {
      out << int{*left.reason};
    } else {
      out << "null";
    }
    out << '}';
  });
  out << ",\"overview\":";
  list(out, reader.overview(), number);
  std::map<std::uint32_t, Reader::Object> objects;
  reader.for_each([&](const Reader::Object& object) { objects.emplace(object.id, object); });
  out << ",\"objects\":";
  list(out, objects, [&out](const auto& one) {
    const Reader::Object& object = one.second;
    out << "{\"id\":" << object.id << ",\"class\":" << int{object.object_class}
        << ",\"owned\":" << (object.owned ? "true" : "false") << ",\"tick\":" << object.tick
        << ",\"values\":";
    list(out, object.values, [&out](std::int32_t value) { out << value; });
    out << '}';
  });
}

}  // namespace ringcast::replication::test
