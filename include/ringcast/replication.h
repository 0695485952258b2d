// What a simulation writes when each of its members should get what it can see: objects with
// fields, and where each member looks. What travels, to whom and in how few bits is the server's
// affair (docs/replication.md). A declaration (Schema) is made once; a World is filled in each
// step.
//
// The least of it:
//
//   Schema schema{.space = {.low = {0, 0}, .high = {4'000, 2'000}}};
//   schema.classes.push_back({.name = "disc", .fields = {Field::real("radius", 0, 30, 0.1)}});
//   ...
//   world.put({.id = ObjectId{7}, .position = {x, y}, .fields = std::array{radius}});
//   world.follow(member, ObjectId{7}, {1'600, 900});
//   world.replicate();
//
// Every call happens on the room's home core, inside one tick. A mistake has a name, is counted
// (outcomes()) and changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::replication {

/// One replicated thing of a room. Chosen by the simulation, never used twice in a room (ids given
/// out in ascending order cost least); 0 is no object.
enum class ObjectId : std::uint32_t {};
/// The index of a class in Schema::classes.
enum class ClassId : std::uint8_t {};

/// In the simulation's units; z only matters in a space of three dimensions.
struct Point {
  double x = 0;
  double y = 0;
  double z = 0;
};

/// Where objects can be. A client knows a position to within one `resolution`; each axis has at
/// most 2^30 of them.
struct Space {
  Point low{};
  Point high{};
  double resolution = 1.0 / 16;
  unsigned dimensions = 2;  ///< or 3
};

/// What a value usually does from one tick to the next: nothing, or what it did before.
enum class Motion : std::uint8_t { steady, moving };
enum class Audience : std::uint8_t { everyone, owner };

/// A value of an object beside its position. Made by one of the three functions.
struct Field {
  enum class Kind : std::uint8_t { real, flag, enumeration };

  std::string name;
  Kind kind = Kind::real;
  double low = 0;  ///< real: the least and the largest value, both included, and the step
  double high = 1;
  double resolution = 1;
  std::vector<std::string> enumerators{};  ///< enumeration: the names of 0, 1, 2, ...
  Motion motion = Motion::steady;
  Audience audience = Audience::everyone;

  [[nodiscard]] static Field real(std::string name, double low, double high, double resolution) {
    Field field;
    field.name = std::move(name);
    field.low = low;
    field.high = high;
    field.resolution = resolution;
    return field;
  }
  [[nodiscard]] static Field flag(std::string name) {
    Field field = real(std::move(name), 0, 1, 1);
    field.kind = Kind::flag;
    return field;
  }
  [[nodiscard]] static Field enumeration(std::string name, std::vector<std::string> enumerators) {
    Field field = real(std::move(name), 0, static_cast<double>(enumerators.size()) - 1, 1);
    field.kind = Kind::enumeration;
    field.enumerators = std::move(enumerators);
    return field;
  }
  /// The same, predicted from its last two values: an angle that turns, a speed that grows.
  [[nodiscard]] Field moving() const {
    Field field = *this;
    field.motion = Motion::moving;
    return field;
  }
  /// The same, for the object's owner alone.
  [[nodiscard]] Field for_owner() const {
    Field field = *this;
    field.audience = Audience::owner;
    return field;
  }
};

struct Class {
  std::string name;
  std::vector<Field> fields{};  ///< at most 32
};

/// How far a member sees at which rate: `extent_percent` of its view, every so many ticks.
struct Ring {
  unsigned extent_percent = 100;
  unsigned every_ticks = 1;  ///< 1 to 8
};

/// How many objects of a layer there are in each field of a coarse grid over the whole space: for
/// a map of the far. A row at a time, every so many ticks; none with 0 columns.
struct Overview {
  unsigned columns = 0;  ///< at most 64
  unsigned rows = 0;     ///< at most 64
  unsigned every_ticks = 8;
  unsigned layer = 0;
};

/// What memory is made for; more is refused, by name.
struct Limits {
  unsigned objects = 4'096;       ///< at a time
  unsigned members = 1'024;       ///< at a time
  unsigned history_ticks = 31;    ///< 7 to 63: who is further behind gets everything anew
  unsigned cells = 4'096;         ///< parts that the space is cut into
  unsigned view_cells = 160;      ///< that one member holds
  unsigned private_objects = 16;  ///< owned by or shown to one member
  unsigned frame_bytes = 1'200;   ///< the most that a member gets in a tick: what is further waits
  unsigned asking_objects = 64;   ///< put with `asks`
};

/// What is declared once.
struct Schema {
  Space space{};
  std::vector<Class> classes{};        ///< 1 to 64
  std::vector<std::string> reasons{};  ///< names for what remove() is given: 0, 1, 2, ...
  unsigned layers = 1;                 ///< 1 to 32
  std::vector<Ring> rings{{}};         ///< from the nearest outwards, at most 4
  Overview overview{};
  unsigned digest_every_ticks = 60;  ///< how often a client is told what it should hold; 0: never
  double cell_extent = 0;            ///< of the largest cell; 0: chosen
  unsigned cell_objects = 32;        ///< a cell with more is split
  Limits limits{};
};

/// An object as it is now. What has not changed need not be put again.
struct Put {
  ObjectId id{};
  ClassId object_class{};
  Point position{};
  std::span<const double> fields{};  ///< one for each of the class, in its order; flags are 0 or 1
  unsigned layer = 0;
  MemberId owner{};   ///< gets the owner's fields, and the object wherever it looks
  bool asks = false;  ///< who may see it is asked of the Relevance, member by member
};

/// What became of a call. Whatever is not `ok` has changed nothing.
enum class Outcome : std::uint8_t {
  ok,
  no_such_object,
  no_such_member,
  no_such_class,
  no_such_layer,
  no_such_reason,
  id_used,        ///< 0, or an id that has been removed
  put_twice,      ///< in one step
  class_changed,  ///< an object keeps its class
  wrong_field_count,
  field_out_of_range,  ///< or not a number
  outside_space,
  wrong_extents,     ///< not above 0
  too_many_objects,  ///< Limits::objects
  too_many_members,  ///< Limits::members
  too_many_shown     ///< Limits::private_objects or asking_objects
};
inline constexpr std::size_t outcome_count = 16;

/// How much of the space a member sees around its point, edge to edge.
struct Extents {
  double width = 0;
  double height = 0;
  double depth = 0;
};

enum class Answer : std::uint8_t { refuse, by_view, always };

/// Decides about single objects for single members. Asked in replicate(), once for each member and
/// each object that was put with `asks`: such objects are encoded for each who sees them, so they
/// should be few. It must not call the World.
class Relevance {
 public:
  Relevance() = default;
  Relevance(const Relevance&) = delete;
  Relevance& operator=(const Relevance&) = delete;
  virtual ~Relevance() = default;
  [[nodiscard]] virtual Answer relevance(MemberId member, ObjectId object) = 0;
};

/// What a simulation fills.
class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  /// Brings an object in, or says how it is now.
  virtual Outcome put(const Put& object) = 0;
  /// Ends an object: members who hold it are told the reason.
  virtual Outcome remove(ObjectId object, unsigned reason = 0) = 0;

  /// Where the member looks, until said otherwise. Before it is said the member sees nothing but
  /// what it owns or is shown.
  virtual Outcome look(MemberId member, Point at, Extents extents) = 0;
  /// Looks at where the object is; at where it was last when it has ended.
  virtual Outcome follow(MemberId member, ObjectId object, Extents extents) = 0;
  /// The layers that the member sees: bit n for layer n. At first layer 0 alone.
  virtual Outcome set_layers(MemberId member, std::uint32_t layers) = 0;
  /// The member gets the object wherever it is and in whatever layer (one of its party), until
  /// unshow() or the object's end.
  virtual Outcome show(MemberId member, ObjectId object) = 0;
  virtual Outcome unshow(MemberId member, ObjectId object) = 0;
  /// Who answers for objects that ask; nobody, at first: they are refused. Must outlive its use.
  virtual void set_relevance(Relevance* relevance) = 0;
  /// The newest of the member's inputs that is in this state, in the client's own numbering.
  virtual Outcome input_applied(MemberId member, std::uint32_t number) = 0;

  /// Appends the members whose view (its nearest ring) touches the circle or sphere: whom an event
  /// at a place concerns. As of the last replicate().
  virtual void members_near(Point centre, double radius, std::vector<MemberId>& found) const = 0;

  /// Ends the step: what was put, removed and said since the last one is the state of this tick.
  /// Once a step: what follows belongs to the next one, and a step that does not call it is ended
  /// behind it.
  virtual void replicate() = 0;

  /// How often each Outcome has been returned.
  [[nodiscard]] virtual std::uint64_t outcomes(Outcome outcome) const = 0;
};

}  // namespace ringcast::replication
