#include "coo_to_csr.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "buffer.hpp"
#include "counting_sort.hpp"
#include "partition.hpp"

namespace aimass {

namespace coo_detail {

// key: row within the part | column.
template <class Word, class T>
struct Entry {
  Word key;
  T value;
};

// entries and times of one part; order: their sorted order. Merges the run [begin, end) of
// entries of one cell, which stand in the order of the input.
template <class Word, class T, class At>
void merge(Duplicates rule, std::int64_t begin, std::int64_t end, At&& at,
           const Entry<Word, T>* entries, const std::int64_t* times, T& value, std::int64_t* time) {
  std::int64_t chosen = rule == Duplicates::last ? at(end - 1) : at(begin);
  if (times != nullptr) {
    std::int64_t latest = times[at(begin)];
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t t = times[at(i)];
      latest = std::max(latest, t);
      if (rule == Duplicates::first ? t < times[chosen] : t > times[chosen]) chosen = at(i);
      // Of equally late entries the one that stands later in the input is the last.
      if (rule == Duplicates::last && t == times[chosen]) chosen = at(i);
    }
    *time = rule == Duplicates::first ? times[chosen] : latest;
  }
  double total = 0;
  T low = entries[at(begin)].value, high = low;
  for (std::int64_t i = begin; i < end; ++i) {
    const T v = entries[at(i)].value;
    total += static_cast<double>(v);
    low = std::min(low, v);
    high = std::max(high, v);
  }
  switch (rule) {
    case Duplicates::sum:
      value = static_cast<T>(total);
      break;
    case Duplicates::mean:
      value = static_cast<T>(total / static_cast<double>(end - begin));
      break;
    case Duplicates::max:
      value = high;
      break;
    case Duplicates::min:
      value = low;
      break;
    case Duplicates::count:
      value = static_cast<T>(end - begin);
      break;
    default:
      value = entries[chosen].value;
  }
}

// Ascending sort of distinct words that are already in order of their bits below first_bit.
inline void sort_words(std::vector<std::uint64_t>& words, std::uint64_t* scratch, int first_bit,
                       int last_bit) {
  if (std::is_sorted(words.begin(), words.end())) return;
  if (words.size() < 512) {
    std::sort(words.begin(), words.end());
    return;
  }
  radix_sort(words.data(), static_cast<std::int64_t>(words.size()), scratch, first_bit, last_bit,
             [](std::uint64_t word) { return word; });
}

template <class Word, class T>
std::int64_t convert(const Run& run, const Coo<T>& x, Partition& plan, int col_bits,
                     Duplicates rule, const CsrOut<T>& out) {
  const Buffer<Entry<Word, T>> entries(x.n);
  const Buffer<std::int64_t> times(x.times == nullptr ? 0 : x.n);
  const auto low_row = (Word{1} << plan.shift) - 1, low_col = (Word{1} << col_bits) - 1;
  place_parts(run, plan, [&](Range range, std::int64_t* cursor) {
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t to = cursor[x.rows[i] >> plan.shift]++;
      const auto row = static_cast<Word>(x.rows[i]) & low_row;
      entries[to] = {(row << col_bits) | static_cast<Word>(x.cols[i]), x.data[i]};
      if (x.times != nullptr) times[to] = x.times[i];
    }
  });

  struct Scratch {
    std::vector<std::uint64_t> words, spare;
  };
  std::vector<Scratch> scratch(static_cast<std::size_t>(run.n_threads()));
  std::vector<std::int64_t> n_merged(static_cast<std::size_t>(plan.n_parts), 0);
  std::vector<std::int64_t> first_duplicate(static_cast<std::size_t>(plan.n_parts), -1);
  out.indptr[0] = 0;
  parallel_for(run, plan.n_parts, [&](std::int64_t part, int thread) {
    const std::int64_t start = plan.start[static_cast<std::size_t>(part)];
    const std::int64_t size = plan.size(part);
    const std::int64_t first_row = part << plan.shift;
    const std::int64_t last_row = std::min(x.n_rows, first_row + (std::int64_t{1} << plan.shift));
    const Entry<Word, T>* part_entries = entries.data() + start;
    const std::int64_t* part_times = x.times == nullptr ? nullptr : times.data() + start;
    auto& [words_of_thread, spare] = scratch[static_cast<std::size_t>(thread)];
    auto& words = words_of_thread;  // Clang before 16 captures no structured binding
    words.resize(static_cast<std::size_t>(size));

    // Word: row within the part | column | place in the part. The place makes words distinct and
    // the order stable. When it does not fit (huge and nearly empty matrices), words are places.
    const int place_bits = std::bit_width(static_cast<std::uint64_t>(size));
    const int key_bits = plan.shift + col_bits;
    const bool packed = key_bits + place_bits <= 64;
    if (packed) {
      for (std::int64_t i = 0; i < size; ++i) {
        words[static_cast<std::size_t>(i)] =
            (std::uint64_t{part_entries[i].key} << place_bits) | static_cast<std::uint64_t>(i);
      }
      spare.resize(words.size());
      sort_words(words, spare.data(), place_bits, place_bits + key_bits);
    } else {
      std::iota(words.begin(), words.end(), std::uint64_t{0});
      std::stable_sort(words.begin(), words.end(), [&](std::uint64_t a, std::uint64_t b) {
        return part_entries[a].key < part_entries[b].key;
      });
    }
    run.poll();
    const std::uint64_t place_mask =
        packed ? (std::uint64_t{1} << place_bits) - 1 : ~std::uint64_t{0};
    auto at = [&](std::int64_t i) {
      return static_cast<std::int64_t>(words[static_cast<std::size_t>(i)] & place_mask);
    };

    // Written as if no entry before this part were merged; gaps are closed below.
    std::int64_t to = start, row = first_row;
    for (std::int64_t i = 0; i < size;) {
      const Entry<Word, T> entry = part_entries[at(i)];
      std::int64_t end = i + 1;
      while (end < size && part_entries[at(end)].key == entry.key) ++end;
      const std::int64_t own_row = first_row + static_cast<std::int64_t>(entry.key >> col_bits);
      while (row < own_row) out.indptr[++row] = to;
      out.indices[to] = static_cast<std::int32_t>(entry.key & low_col);
      if (end - i == 1) {
        out.data[to] = rule == Duplicates::count ? T{1} : entry.value;
        if (part_times != nullptr) out.times[to] = part_times[at(i)];
      } else {
        auto& duplicate = first_duplicate[static_cast<std::size_t>(part)];
        if (duplicate < 0) duplicate = start + at(i);
        merge(rule, i, end, at, part_entries, part_times, out.data[to],
              out.times == nullptr ? nullptr : out.times + to);
      }
      ++to;
      i = end;
    }
    while (row < last_row) out.indptr[++row] = to;
    n_merged[static_cast<std::size_t>(part)] = start + size - to;
  });

  if (rule == Duplicates::error) {
    for (std::int64_t part = 0; part < plan.n_parts; ++part) {
      const std::int64_t i = first_duplicate[static_cast<std::size_t>(part)];
      if (i < 0) continue;
      const auto row = (part << plan.shift) + static_cast<std::int64_t>(entries[i].key >> col_bits);
      throw InvalidInput("duplicate entry at (row " + std::to_string(row) + ", col " +
                         std::to_string(entries[i].key & low_col) +
                         "); choose a rule for duplicates other than 'error'");
    }
  }
  std::int64_t gap = 0;
  for (std::int64_t part = 0; part < plan.n_parts; ++part) {
    const std::int64_t start = plan.start[static_cast<std::size_t>(part)];
    const std::int64_t end = start + plan.size(part) - n_merged[static_cast<std::size_t>(part)];
    if (gap > 0) {
      run.poll();
      std::copy(out.indices + start, out.indices + end, out.indices + start - gap);
      std::copy(out.data + start, out.data + end, out.data + start - gap);
      if (out.times != nullptr) {
        std::copy(out.times + start, out.times + end, out.times + start - gap);
      }
      const std::int64_t last_row = std::min(x.n_rows, (part + 1) << plan.shift);
      for (std::int64_t row = part << plan.shift; row < last_row; ++row) out.indptr[row + 1] -= gap;
    }
    gap += n_merged[static_cast<std::size_t>(part)];
  }
  return x.n - gap;
}

}  // namespace coo_detail

template <class T>
std::int64_t coo_to_csr(const Run& run, const Coo<T>& x, Duplicates rule, const CsrOut<T>& out) {
  check_bounds(run, x.rows, x.n, x.n_rows, "rows");
  check_bounds(run, x.cols, x.n, x.n_cols, "cols");
  Partition plan = plan_partition(run, x.rows, x.n, x.n_rows);
  const int col_bits =
      std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(x.n_cols - 1, 0)));
  return plan.shift + col_bits < 32
             ? coo_detail::convert<std::uint32_t>(run, x, plan, col_bits, rule, out)
             : coo_detail::convert<std::uint64_t>(run, x, plan, col_bits, rule, out);
}

template std::int64_t coo_to_csr(const Run& run, const Coo<float>& x, Duplicates rule,
                                 const CsrOut<float>& out);
template std::int64_t coo_to_csr(const Run& run, const Coo<double>& x, Duplicates rule,
                                 const CsrOut<double>& out);

}  // namespace aimass
