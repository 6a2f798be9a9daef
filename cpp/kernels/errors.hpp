// Exceptions that kernels throw. Bindings translate them; nothing here knows Python.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace aimass {

// Data that break the contract of a kernel (bounds, order, lengths). Becomes ValueError.
struct InvalidInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A result that is not a finite number although the input was. Becomes NumericalError, with the
// attribute `row` where one row failed: the reason then continues a sentence that begins with the
// row ("has no ..."). Without a row the reason is the whole message.
struct NumericalFailure : std::runtime_error {
  NumericalFailure(std::int64_t failing_row, const std::string& reason)
      : std::runtime_error(reason), row(failing_row) {}
  explicit NumericalFailure(const std::string& reason) : std::runtime_error(reason), row(-1) {}
  std::int64_t row;
};

// The caller asked to stop (Ctrl-C). The binding re-raises the pending Python exception.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace aimass
