#include "ws/http_date.h"

#include <array>
#include <chrono>
#include <string_view>

namespace ringcast::ws {
namespace {

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

template <class Number>
std::string two_digits(Number number) {
  const std::string text = std::to_string(number);
  return text.size() < 2 ? '0' + text : text;
}

}  // namespace

std::string http_date(UnixNanoseconds time) {
  using std::chrono::floor;
  const std::chrono::sys_time<Nanoseconds> moment{Nanoseconds(time)};
  const auto day = floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(moment - day));
  std::string text(days[std::chrono::weekday(day).c_encoding()]);
  text += ", " + two_digits(static_cast<unsigned>(date.day())) + ' ';
  text += months[static_cast<unsigned>(date.month()) - 1];
  text += ' ' + std::to_string(static_cast<int>(date.year())) + ' ';
  text += two_digits(clock.hours().count()) + ':' + two_digits(clock.minutes().count()) + ':' +
          two_digits(clock.seconds().count());
  return text += " GMT";
}

}  // namespace ringcast::ws
