// Seeded rooms of all kinds, and what the reader makes of their frames, some of which are damaged
// on the way: a line of JSON for each member, in the form of the golden vectors. Readers in other
// languages are compared with it (web/test/replication_streams.test.ts).
//
//   replication_streams FIRST_SEED COUNT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/prng.h"
#include "replication/composer.h"
#include "replication/reader.h"
#include "replication/told.h"

namespace ringcast::replication::test {
namespace {

const char* name_of(ReadResult result) {
  switch (result) {
    case ReadResult::ok:
      return "ok";
    case ReadResult::malformed:
      return "malformed";
    case ReadResult::no_beginning:
      return "noBeginning";
    case ReadResult::digest_differs:
      return "digestDiffers";
  }
  return "";
}

std::string numbered(const char* name, unsigned number) {
  return name + std::to_string(number);
}

Field random_field(Prng& prng, unsigned number) {
  Field field;
  switch (prng.below(5)) {
    case 0:
      field = Field::flag(numbered("flag", number));
      break;
    case 1: {
      std::vector<std::string> names;
      const std::uint64_t count = 1 + prng.below(prng.chance(0.1) ? 300 : 5);
      for (unsigned i = 0; i < count; ++i) names.push_back(numbered("name", i));
      field = Field::enumeration(numbered("enumeration", number), std::move(names));
      break;
    }
    default: {
      const double low = std::floor(2'000 * (prng.unit() - 0.5));
      // From a single value to nearly as many as there may be.
      const double most = std::floor(std::pow(2, 29.9 * prng.unit())) - 1;
      const double resolution = prng.chance(0.5) ? 0.1 : 1.0 / 16;
      field = Field::real(numbered("real", number), low, low + most * resolution, resolution);
      break;
    }
  }
  if (prng.chance(0.4)) field = field.moving();
  if (prng.chance(0.3)) field = field.for_owner();
  return field;
}

Schema random_schema(Prng& prng) {
  Schema schema;
  Space& space = schema.space;
  space.dimensions = prng.chance(0.7) ? 2 : 3;
  space.resolution = prng.chance(0.7) ? 1.0 / 16 : 0.5;
  space.low = {-100 * prng.unit(), 0, -10};
  // Now and then as large as a space can be.
  const double size = prng.chance(0.1) ? 500'000'000 * space.resolution : 1'000;
  space.high = {space.low.x + size * (0.5 + prng.unit()), size * (0.1 + prng.unit()), 60};
  schema.cell_extent = prng.chance(0.5) ? 0 : size / 16;
  schema.cell_objects = 2 + static_cast<unsigned>(prng.below(12));
  const std::uint64_t classes = 1 + prng.below(4);
  for (unsigned i = 0; i < classes; ++i) {
    Class one{.name = numbered("class", i)};
    const std::uint64_t fields = prng.chance(0.05) ? 32 : prng.below(5);
    for (unsigned f = 0; f < fields; ++f) one.fields.push_back(random_field(prng, f));
    schema.classes.push_back(std::move(one));
  }
  schema.reasons = {"removed", "absorbed"};
  schema.layers = 1 + static_cast<unsigned>(prng.below(3));
  if (prng.chance(0.5)) schema.rings = {{100, 1}, {200, 2}, {300, 4}};
  if (prng.chance(0.4)) schema.overview = {.columns = 5, .rows = 3, .every_ticks = 2};
  schema.digest_every_ticks = prng.chance(0.8) ? 1 : 5;
  schema.limits = {
      .objects = 200,
      .members = 8,
      .history_ticks = 7 + static_cast<unsigned>(prng.below(prng.chance(0.5) ? 6 : 57)),
      .cells = 600,
      .view_cells = prng.chance(0.3) ? 10U : 120U,
      .private_objects = 6,
      .frame_bytes = 3'000,
      .asking_objects = 8};
  if (prng.chance(0.4)) {
    // Hardly more than the header and an object that enters.
    const std::size_t least = Layout::make(schema)->entering_bits_max() / 8 + 81;
    schema.limits.frame_bytes = static_cast<unsigned>(least + prng.below(120));
  }
  return schema;
}

class Whoever final : public Relevance {
 public:
  Answer relevance(MemberId member, ObjectId object) override {
    return static_cast<Answer>((static_cast<unsigned>(member) + static_cast<unsigned>(object)) % 3);
  }
};

struct Body {
  std::uint32_t id = 0;
  unsigned object_class = 0;
  Point at{};
  Point velocity{};
  std::vector<double> fields{};
  unsigned layer = 0;
  MemberId owner{};
  bool asks = false;
};

/// A member's frames, with what was made of them.
struct Stream {
  MemberId id{};
  MemberView view{};
  std::unique_ptr<Reader> reader{};
  unsigned every = 1;
  double loss = 0;
  double damage = 0;
  bool asked_anew = false;
  std::ostringstream frames{};
  std::size_t count = 0;
};

class Room {
 public:
  explicit Room(std::uint64_t seed) : seed_(seed), prng_(seed), frame_(4'096) {}

  void run() {
    schema_ = random_schema(prng_);
    now_ = prng_.chance(0.3) ? 3 + (std::uint64_t{1} << 40) : prng_.below(50);
    make_world();
    for (std::uint64_t left = 20 + prng_.below(100); left > 0; --left) add();
    const std::uint64_t members = 1 + prng_.below(3);
    for (unsigned i = 1; i <= members; ++i) {
      Stream stream{.id = MemberId{i}};
      stream.reader = std::make_unique<Reader>(*Layout::read(world_->layout().describe()));
      stream.every = prng_.chance(0.6) ? 1 : 1 + static_cast<unsigned>(prng_.below(8));
      stream.loss = prng_.chance(0.3) ? 0.2 : 0;
      stream.damage = prng_.chance(0.5) ? 0.08 : 0;
      streams_.push_back(std::move(stream));
    }
    join_all();
    const std::uint64_t ticks = 30 + prng_.below(60);
    for (std::uint64_t tick = 0; tick < ticks; ++tick) {
      if (prng_.chance(0.01)) restore();
      step();
      for (Stream& stream : streams_) {
        if ((tick + static_cast<unsigned>(stream.id)) % stream.every == 0) serve(stream);
      }
    }
  }

  void write(std::ostream& out) const {
    for (const Stream& stream : streams_) {
      out << "{\"name\":\"seed " << seed_ << ", member " << static_cast<unsigned>(stream.id)
          << "\",\"schema\":\"" << hex(world_->layout().describe()) << "\",\"frames\":["
          << stream.frames.str() << "],\"digests_checked\":" << stream.reader->digests_checked()
          << "}\n";
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    std::cerr << "seed " << seed_ << ": " << why << '\n';
    std::exit(1);
  }

  void make_world() {
    auto made = QuantizedWorld::make(schema_, now_);
    if (!made) fail(made.error().message);
    composer_.reset();
    world_ = std::move(*made);
    world_->set_relevance(&whoever_);
    composer_ = std::make_unique<Composer>(*world_);
  }

  Point anywhere() {
    const Space& space = schema_.space;
    const auto between = [this](double low, double high) {
      return low + (high - low) * prng_.unit();
    };
    return {between(space.low.x, space.high.x), between(space.low.y, space.high.y),
            between(space.low.z, space.high.z)};
  }
  Extents extents() {
    const double width = (schema_.space.high.x - schema_.space.low.x) * (0.1 + 0.4 * prng_.unit());
    return {width, width, 40};
  }

  void join_all() {
    for (Stream& stream : streams_) {
      world_->join(stream.id);
      world_->look(stream.id, anywhere(), extents());
      stream.view.reset();
    }
  }

  /// The room goes on from an earlier tick, with other objects under the same ids.
  void restore() {
    now_ -= std::min<TickNumber>(now_, prng_.below(20));
    make_world();
    for (Body& body : bodies_) {
      if (prng_.chance(0.3)) body = random_body(body.id);
    }
    join_all();
  }

  Body random_body(std::uint32_t id) {
    Body body;
    body.id = id;
    body.object_class = static_cast<unsigned>(prng_.below(schema_.classes.size()));
    body.at = anywhere();
    turn(body);
    body.fields.resize(schema_.classes[body.object_class].fields.size());
    for (std::size_t i = 0; i < body.fields.size(); ++i) draw(body, i, true);
    body.layer = static_cast<unsigned>(prng_.below(schema_.layers));
    if (prng_.chance(0.05)) body.owner = MemberId{static_cast<std::uint32_t>(1 + prng_.below(3))};
    body.asks = prng_.chance(0.03);
    return body;
  }
  void add() {
    newest_ += prng_.chance(0.1) ? 1'000U : 1U;
    bodies_.push_back(random_body(newest_));
  }

  void turn(Body& body) {
    const double most = (schema_.space.high.x - schema_.space.low.x) / 200;
    const auto speed = [&] { return prng_.chance(0.2) ? 0 : most * (prng_.unit() - 0.5); };
    body.velocity = {speed(), speed(), speed() / 20};
  }

  /// Another value for a field: anywhere in its range, or a little further.
  void draw(Body& body, std::size_t index, bool anywhere) {
    const Field& field = schema_.classes[body.object_class].fields[index];
    const double steps = std::floor((field.high - field.low) / field.resolution + 1e-9);
    double& value = body.fields[index];
    if (anywhere || field.kind != Field::Kind::real) {
      value = field.low + field.resolution * std::floor(prng_.unit() * (steps + 1));
    } else {
      value += field.resolution * (std::floor(9 * prng_.unit()) - 4);
    }
    value = std::min(std::max(value, field.low), field.high);
  }

  void step() {
    if (prng_.chance(0.3) && bodies_.size() < 150) add();
    if (prng_.chance(0.3) && bodies_.size() > 10) {
      const std::size_t index = prng_.below(bodies_.size());
      world_->remove(ObjectId{bodies_[index].id}, static_cast<unsigned>(prng_.below(2)));
      bodies_[index] = std::move(bodies_.back());
      bodies_.pop_back();
    }
    const Space& space = schema_.space;
    const auto move = [](double& at, double& velocity, double low, double high) {
      at += velocity;
      if (at < low || at > high) velocity = -velocity;
      at = std::min(std::max(at, low), high);
    };
    const Point spot = anywhere();
    const bool gathers = prng_.chance(0.03);
    for (Body& body : bodies_) {
      if (prng_.chance(0.04)) turn(body);
      move(body.at.x, body.velocity.x, space.low.x, space.high.x);
      move(body.at.y, body.velocity.y, space.low.y, space.high.y);
      move(body.at.z, body.velocity.z, space.low.z, space.high.z);
      if (prng_.chance(0.003)) body.at = anywhere();
      if (gathers && prng_.chance(0.3)) body.at = spot;
      for (std::size_t i = 0; i < body.fields.size(); ++i) {
        if (prng_.chance(0.1)) draw(body, i, prng_.chance(0.2));
      }
      if (prng_.chance(0.005)) body.layer = static_cast<unsigned>(prng_.below(schema_.layers));
      if (prng_.chance(0.005)) {
        body.owner = MemberId{static_cast<std::uint32_t>(prng_.below(4))};
      }
      const unsigned axes = space.dimensions;
      world_->put({.id = ObjectId{body.id},
                   .object_class = ClassId{static_cast<std::uint8_t>(body.object_class)},
                   .position = {body.at.x, body.at.y, axes == 3 ? body.at.z : 0},
                   .fields = body.fields,
                   .layer = body.layer,
                   .owner = body.owner,
                   .asks = body.asks});
    }
    for (Stream& stream : streams_) {
      const ObjectId any{bodies_[prng_.below(bodies_.size())].id};
      if (prng_.chance(0.03)) world_->look(stream.id, anywhere(), extents());
      if (prng_.chance(0.03)) world_->follow(stream.id, any, extents());
      if (prng_.chance(0.03)) {
        world_->set_layers(stream.id, static_cast<std::uint32_t>(prng_.below(8)));
      }
      if (prng_.chance(0.03)) world_->show(stream.id, any);
      if (prng_.chance(0.03)) world_->unshow(stream.id, any);
      if (prng_.chance(0.5)) {
        input_ += static_cast<std::uint32_t>(prng_.chance(0.01) ? 3'000'000'000 : 1);
        world_->input_applied(stream.id, input_);
      }
      if (prng_.chance(0.01)) stream.view.reset();
    }
    world_->replicate();
    now_ = world_->tick();
  }

  void serve(Stream& stream) {
    // Whoever could not read a frame asks for everything anew, which takes a while.
    if (stream.asked_anew && prng_.chance(0.5)) {
      stream.view.reset();
      stream.asked_anew = false;
    }
    const std::size_t bytes = composer_->compose(stream.view, stream.id, frame_);
    if (bytes == 0) return;
    if (prng_.chance(stream.loss)) {
      stream.view.not_handed_over();
      return;
    }
    stream.view.handed_over();
    if (prng_.chance(stream.damage / 2)) return;  // nobody notices before the next
    std::vector<std::byte> frame(frame_.begin(),
                                 frame_.begin() + static_cast<std::ptrdiff_t>(bytes));
    if (prng_.chance(stream.damage)) damage(frame);
    const ReadResult result = stream.reader->read(frame);
    if (result != ReadResult::ok) {
      stream.asked_anew = true;
      if (stream.damage == 0) fail("a frame that nothing happened to is not read");
    }
    if (stream.count++ > 0) stream.frames << ',';
    stream.frames << "\n{\"hex\":\"" << hex(frame) << "\",\"result\":\"" << name_of(result)
                  << "\",";
    write_state(stream.frames, *stream.reader);
    stream.frames << '}';
  }

  void damage(std::vector<std::byte>& frame) {
    switch (prng_.below(6)) {
      case 0:
        frame.resize(prng_.below(frame.size()));
        break;
      case 1:
        frame.resize(frame.size() + 1 + prng_.below(8));
        break;
      case 2:
        for (std::byte& byte : frame) byte = static_cast<std::byte>(prng_.below(256));
        break;
      case 3:
        // Long runs of zeros are long numbers.
        for (std::size_t i = prng_.below(frame.size()); i < frame.size(); ++i) {
          frame[i] = std::byte{0};
        }
        break;
      default:
        for (std::uint64_t left = 1 + prng_.below(3); left > 0; --left) {
          frame[prng_.below(frame.size())] ^= static_cast<std::byte>(1U << prng_.below(8));
        }
        break;
    }
  }

  std::uint64_t seed_;
  Prng prng_;
  Schema schema_{};
  TickNumber now_ = 0;
  Whoever whoever_;
  std::unique_ptr<QuantizedWorld> world_;
  std::unique_ptr<Composer> composer_;
  std::vector<Body> bodies_;
  std::uint32_t newest_ = 0;
  std::uint32_t input_ = 0;
  std::vector<Stream> streams_;
  std::vector<std::byte> frame_;
};

}  // namespace
}  // namespace ringcast::replication::test

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("replication_streams FIRST_SEED COUNT\n", stderr);
    return 2;
  }
  const std::uint64_t first = std::strtoull(arguments[1], nullptr, 10);
  const std::uint64_t seeds = std::strtoull(arguments[2], nullptr, 10);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    ringcast::replication::test::Room room(seed);
    room.run();
    room.write(std::cout);
  }
  return std::cout.flush() ? 0 : 1;
}
