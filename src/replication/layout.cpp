#include "replication/layout.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/little_endian.h"

namespace ringcast::replication {
namespace {

constexpr std::uint8_t description_version = 1;

double axis(const Point& point, unsigned index) {
  return index == 0 ? point.x : index == 1 ? point.y : point.z;
}

/// How many steps of `resolution` there are from low to high; nothing when that is no usable range.
Result<Value> value_of(double low, double high, double resolution, const std::string& what) {
  if (!std::isfinite(low) || !std::isfinite(high) || !std::isfinite(resolution) ||
      resolution <= 0 || high < low) {
    return fail(what + " needs a range from low to high and a resolution above 0");
  }
  const double steps = std::floor((high - low) / resolution + 1e-9);
  if (steps >= quanta_max) {
    return fail(what + " has more than 2^30 steps: a coarser resolution, or a smaller range");
  }
  const auto most = static_cast<std::uint32_t>(steps);
  return Value{.most = most, .bits = static_cast<std::uint8_t>(std::bit_width(most))};
}

Result<Value> value_of(const Field& field, const std::string& owner) {
  auto value =
      value_of(field.low, field.high, field.resolution, "the field " + owner + "." + field.name);
  if (value) value->kind = field.kind;
  return value;
}

unsigned bits_for(std::size_t count) {
  return static_cast<unsigned>(std::bit_width(count - 1));
}

void put_real(LittleEndianWriter& out, double value) {
  out.put(std::bit_cast<std::uint64_t>(value));
}
double real_from(LittleEndianReader& in) {
  return std::bit_cast<double>(in.number<std::uint64_t>());
}

void put_names(LittleEndianWriter& out, const std::vector<std::string>& names) {
  out.put(static_cast<std::uint16_t>(names.size()));
  for (const std::string& name : names) out.put_text(name);
}
std::vector<std::string> names_from(LittleEndianReader& in) {
  std::vector<std::string> names;
  const auto count = in.number<std::uint16_t>();
  for (unsigned i = 0; i < count && !in.failed(); ++i) names.push_back(in.text());
  return names;
}

}  // namespace

Result<void> Layout::derive(unsigned root_bits_wanted, std::size_t roots_most) {
  dimensions = space.dimensions;
  if (dimensions != 2 && dimensions != 3) return fail("a space has 2 or 3 dimensions");
  if (classes.empty() || classes.size() > classes_max) return fail("a schema has 1 to 64 classes");
  if (layers < 1 || layers > 32) return fail("a schema has 1 to 32 layers");
  if (reasons.size() > 256) return fail("a schema has at most 256 reasons");
  if (history_ticks < 7 || history_ticks > 63) return fail("history_ticks is 7 to 63");
  if (rings.empty() || rings.size() > 4) return fail("a schema has 1 to 4 rings");
  for (const Ring& ring : rings) {
    if (ring.every_ticks < 1 || ring.every_ticks > 8) return fail("a ring's every_ticks is 1 to 8");
    if (ring.extent_percent < 1 || ring.extent_percent > 10'000) {
      return fail("a ring's extent_percent is 1 to 10,000");
    }
  }
  if (overview.columns > 64 || overview.rows > 64 || overview.every_ticks == 0 ||
      (overview.columns > 0 && (overview.rows == 0 || overview.layer >= layers))) {
    return fail("an overview has 1 to 64 columns and rows, of a layer that there is");
  }
  unsigned longest_bits = 0;
  for (unsigned i = 0; i < dimensions; ++i) {
    const auto value =
        value_of(axis(space.low, i), axis(space.high, i), space.resolution, "the space");
    if (!value) return std::unexpected(value.error());
    axes[i] = *value;
    longest_bits = std::max<unsigned>(longest_bits, value->bits);
  }
  root_bits = std::clamp(root_bits_wanted, smallest_cell_bits, 30U);
  // A cell that is larger than the space is of no use, and many small ones cost memory.
  root_bits = std::min(root_bits, std::max(smallest_cell_bits, longest_bits));
  for (;; ++root_bits) {
    std::uint64_t count = 1;
    for (unsigned i = 0; i < dimensions; ++i) {
      roots[i] = (axes[i].most >> root_bits) + 1;
      root_index_bits[i] = bits_for(roots[i]);
      count *= roots[i];
    }
    if (count <= roots_most) break;
  }
  place_levels = root_bits - smallest_cell_bits;
  class_bits = bits_for(classes.size());
  layer_bits = bits_for(layers);
  values = 0;
  for (ClassLayout& layout : classes) {
    if (layout.fields.size() > fields_max) return fail("a class has at most 32 fields");
    layout.values.assign(axes.begin(), axes.begin() + dimensions);
    layout.everyone = {};
    layout.owner = {};
    for (unsigned i = 0; i < dimensions; ++i) {
      layout.everyone.moving.push_back(static_cast<std::uint8_t>(i));
      layout.owner.moving.push_back(static_cast<std::uint8_t>(i));
    }
    for (const Field& field : layout.fields) {
      const auto value = value_of(field, layout.name);
      if (!value) return std::unexpected(value.error());
      const auto index = static_cast<std::uint8_t>(layout.values.size());
      layout.values.push_back(*value);
      for (Selection* selection : {&layout.everyone, &layout.owner}) {
        if (selection == &layout.everyone && field.audience == Audience::owner) continue;
        (field.motion == Motion::moving ? selection->moving : selection->steady).push_back(index);
      }
    }
    values = std::max(values, static_cast<unsigned>(layout.values.size()));
  }
  return {};
}

Result<Layout> Layout::make(const Schema& schema) {
  Layout layout;
  layout.space = schema.space;
  for (const Class& one : schema.classes) {
    layout.classes.push_back({.name = one.name, .fields = one.fields});
  }
  layout.reasons = schema.reasons;
  layout.layers = schema.layers;
  layout.history_ticks = schema.limits.history_ticks;
  layout.digest_every_ticks = schema.digest_every_ticks;
  layout.overview = schema.overview;
  layout.rings = schema.rings;
  if (!std::isfinite(schema.cell_extent) || schema.cell_extent < 0) {
    return fail("cell_extent is a length, or 0");
  }
  if (!(schema.space.resolution > 0)) return fail("the space needs a resolution above 0");
  // Where it is left to us: the largest power of two that is not above 512 units of 1/16.
  const double quanta =
      schema.cell_extent > 0 ? schema.cell_extent / schema.space.resolution : 8'192;
  const auto edge = static_cast<std::uint32_t>(std::clamp(quanta, 16.0, 1e9));
  // Half of the cells at least are left for splitting.
  const std::size_t roots = std::clamp<std::size_t>(schema.limits.cells / 2, 1, roots_max);
  if (auto made = layout.derive(static_cast<unsigned>(std::bit_width(edge)) - 1, roots); !made) {
    return std::unexpected(made.error());
  }
  return layout;
}

std::vector<std::byte> Layout::describe() const {
  LittleEndianWriter out;
  const auto byte = [&out](unsigned number) { out.put(static_cast<std::uint8_t>(number)); };
  byte(description_version);
  byte(dimensions);
  for (unsigned i = 0; i < dimensions; ++i) {
    put_real(out, axis(space.low, i));
    put_real(out, axis(space.high, i));
  }
  put_real(out, space.resolution);
  byte(root_bits);
  byte(layers);
  byte(history_ticks);
  byte(overview.columns);
  byte(overview.rows);
  byte(static_cast<unsigned>(classes.size()));
  for (const ClassLayout& layout : classes) {
    out.put_text(layout.name);
    byte(static_cast<unsigned>(layout.fields.size()));
    for (const Field& field : layout.fields) {
      out.put_text(field.name);
      byte(static_cast<unsigned>(field.kind));
      byte((field.motion == Motion::moving ? 1U : 0U) |
           (field.audience == Audience::owner ? 2U : 0U));
      put_real(out, field.low);
      put_real(out, field.high);
      put_real(out, field.resolution);
      put_names(out, field.enumerators);
    }
  }
  put_names(out, reasons);
  return out.take();
}

Result<Layout> Layout::read(std::span<const std::byte> description) {
  LittleEndianReader in(description);
  Layout layout;
  if (in.number<std::uint8_t>() != description_version) {
    return fail("the schema is of a version that is not known here");
  }
  layout.space.dimensions = in.number<std::uint8_t>();
  if (layout.space.dimensions != 2 && layout.space.dimensions != 3) {
    return fail("the schema's space has neither 2 nor 3 dimensions");
  }
  std::array<double, 3> low{};
  std::array<double, 3> high{};
  for (unsigned i = 0; i < layout.space.dimensions; ++i) {
    low[i] = real_from(in);
    high[i] = real_from(in);
  }
  layout.space.low = {low[0], low[1], low[2]};
  layout.space.high = {high[0], high[1], high[2]};
  layout.space.resolution = real_from(in);
  const unsigned root_bits = in.number<std::uint8_t>();
  layout.layers = in.number<std::uint8_t>();
  layout.history_ticks = in.number<std::uint8_t>();
  layout.overview.columns = in.number<std::uint8_t>();
  layout.overview.rows = in.number<std::uint8_t>();
  layout.rings = {Ring{}};
  const unsigned classes = in.number<std::uint8_t>();
  for (unsigned i = 0; i < classes && !in.failed(); ++i) {
    ClassLayout one{.name = in.text()};
    const unsigned fields = in.number<std::uint8_t>();
    for (unsigned f = 0; f < fields && !in.failed(); ++f) {
      Field field;
      field.name = in.text();
      const auto kind = in.number<std::uint8_t>();
      if (kind > 2) return fail("the schema has a field of a kind that is not known here");
      field.kind = static_cast<Field::Kind>(kind);
      const auto flags = in.number<std::uint8_t>();
      field.motion = (flags & 1U) != 0 ? Motion::moving : Motion::steady;
      field.audience = (flags & 2U) != 0 ? Audience::owner : Audience::everyone;
      field.low = real_from(in);
      field.high = real_from(in);
      field.resolution = real_from(in);
      field.enumerators = names_from(in);
      one.fields.push_back(std::move(field));
    }
    layout.classes.push_back(std::move(one));
  }
  layout.reasons = names_from(in);
  if (!in.is_at_end()) return fail("the schema is cut short or too long");
  if (root_bits > 30) return fail("the schema's cells are too large");
  if (auto made = layout.derive(root_bits, roots_max); !made) return std::unexpected(made.error());
  if (layout.root_bits != root_bits) return fail("the schema's cells do not fit its space");
  return layout;
}

std::size_t Layout::entering_bits_max() const {
  // Id and kind, class, whether inside and whether moving, then each value and its last change.
  const std::size_t id_bits = 64;
  const std::size_t value_bits = 30 + 2 * 64;
  return id_bits + 3 + class_bits + 3 + values * value_bits;
}

double Layout::real(unsigned object_class, unsigned value, std::int32_t quanta) const {
  if (value < dimensions) return axis(space.low, value) + quanta * space.resolution;
  const Field& field = classes[object_class].fields[value - dimensions];
  return field.low + quanta * field.resolution;
}

}  // namespace ringcast::replication
