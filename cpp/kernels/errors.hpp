// Exceptions that kernels throw. Bindings translate them; nothing here knows Python.
#pragma once

#include <stdexcept>
#include <string>

namespace aimass {

// Data that break the contract of a kernel (bounds, order, lengths). Becomes ValueError.
struct InvalidInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A result that is not a finite number although the input was. Becomes NumericalError.
struct NumericalFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The caller asked to stop (Ctrl-C). The binding re-raises the pending Python exception.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace aimass
