// A fixed number of slots for one kind of object, and handles that outlive their object safely:
// a handle is a slot and a generation, and a slot's generation changes whenever it is freed.
// Memory of slots never used is never touched.
#pragma once

#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace ringcast {

/// Names a slot for as long as its generation is the slot's. Generation 0 names nothing.
struct Handle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  explicit operator bool() const { return generation != 0; }
  friend bool operator==(const Handle&, const Handle&) = default;
};

template <class T>
class Slab {
 public:
  /// Throws std::bad_alloc when the address space cannot be had: a start-up failure.
  explicit Slab(std::uint32_t capacity)
      : capacity_(capacity),
        cells_(static_cast<Cell*>(std::calloc(capacity == 0 ? 1 : capacity, sizeof(Cell)))) {
    if (!cells_) throw std::bad_alloc();
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for_each([this](Handle handle, T&) { erase(handle); });
  }

  /// Constructs an object in a free slot; an empty handle when there is none.
  template <class... Arguments>
  [[nodiscard]] Handle emplace(Arguments&&... arguments) {
    std::uint32_t slot = free_;
    if (slot != 0) {
      --slot;
      free_ = cells_[slot].next_free;
    } else if (touched_ < capacity_) {
      slot = touched_++;
    } else {
      return {};
    }
    Cell& cell = cells_[slot];
    if (++cell.generation == 0) cell.generation = 1;
    ::new (static_cast<void*>(cell.storage)) T(std::forward<Arguments>(arguments)...);
    cell.used = true;
    ++size_;
    return {slot, cell.generation};
  }

  /// The object, or nullptr when the handle is stale or empty.
  [[nodiscard]] T* find(Handle handle) {
    if (handle.slot >= touched_) return nullptr;
    Cell& cell = cells_[handle.slot];
    return cell.used && cell.generation == handle.generation ? object(cell) : nullptr;
  }
  /// The object of a handle known to be live.
  [[nodiscard]] T& operator[](Handle handle) {
    T* found = find(handle);
    assert(found != nullptr);
    return *found;
  }
  /// The live handle of a slot, or an empty one.
  [[nodiscard]] Handle handle_at(std::uint32_t slot) const {
    if (slot >= touched_ || !cells_[slot].used) return {};
    return {slot, cells_[slot].generation};
  }

  void erase(Handle handle) {
    T* found = find(handle);
    assert(found != nullptr);
    found->~T();
    Cell& cell = cells_[handle.slot];
    cell.used = false;
    cell.next_free = free_;
    free_ = handle.slot + 1;
    --size_;
  }

  /// Visits every live object; the visitor may erase the one that it is given.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < touched_; ++slot) {
      if (cells_[slot].used) visit(Handle{slot, cells_[slot].generation}, *object(cells_[slot]));
    }
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  static constexpr std::size_t bytes_per_slot();

 private:
  struct Cell {
    std::uint32_t generation;
    std::uint32_t next_free;  // slot + 1; 0 ends the list
    bool used;
    alignas(T) std::byte storage[sizeof(T)];
  };
  struct Free {
    void operator()(Cell* cells) const { std::free(cells); }
  };
  static T* object(Cell& cell) { return std::launder(reinterpret_cast<T*>(cell.storage)); }

  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t free_ = 0;
  std::unique_ptr<Cell[], Free> cells_;
};

template <class T>
constexpr std::size_t Slab<T>::bytes_per_slot() {
  return sizeof(Cell);
}

}  // namespace ringcast
