// Any bytes as a schema and frames: two bytes of length and the schema, then frames likewise.
// Properties: what is refused changes nothing until a frame begins anew; what is held is within its
// ranges and its bounds, and who enters and leaves adds up.
#include "replication/reader.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "fuzz.h"

namespace ringcast::replication {
namespace {

using fuzz::require;

constexpr ReaderLimits limits{.objects = 512, .cells = 64};

std::span<const std::byte> take_piece(std::span<const std::byte>& input) {
  const std::size_t low = fuzz::take_byte(input);
  const std::size_t high = fuzz::take_byte(input);
  const std::size_t length = std::min(input.size(), low | high << 8);
  const auto piece = input.first(length);
  input = input.subspan(length);
  return piece;
}

void require_sound(const Reader& reader) {
  std::size_t objects = 0;
  reader.for_each([&](const Reader::Object& object) {
    ++objects;
    require(object.object_class < reader.layout().classes.size(), "a class that there is");
    const ClassLayout& layout = reader.layout().classes[object.object_class];
    require(object.values.size() == layout.values.size(), "as many values as the class has");
    for (std::size_t i = 0; i < object.values.size(); ++i) {
      require(object.values[i] >= 0 &&
                  static_cast<std::uint32_t>(object.values[i]) <= layout.values[i].most,
              "a value is within its range");
    }
    require(object.tick <= reader.tick(), "nothing is of a tick to come");
  });
  require(objects == reader.objects(), "the objects are counted");
  require(objects <= 2 * limits.objects, "no more objects than there is room for");
  require(reader.cells() <= limits.cells, "no more cells than there is room for");
}

void run(std::span<const std::byte> input) {
  auto layout = Layout::read(take_piece(input));
  if (!layout) return;
  Reader reader(std::move(*layout), limits);
  bool refused = true;
  std::size_t expected = 0;
  while (!input.empty()) {
    const auto frame = take_piece(input);
    const bool anew = !frame.empty() && (std::to_integer<unsigned>(frame.front()) & 1) != 0;
    const ReadResult result = reader.read(frame);
    if (refused && !anew) {
      require(result == ReadResult::no_beginning || result == ReadResult::malformed,
              "after a refusal nothing is read that does not begin anew");
    }
    refused = result != ReadResult::ok;
    expected += reader.entered().size();
    expected -= reader.left().size();
    require(expected == reader.objects(), "who enters and who leaves adds up");
    require_sound(reader);
  }
}

}  // namespace
}  // namespace ringcast::replication

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringcast::replication::run(std::as_bytes(std::span(data, size)));
  return 0;
}
