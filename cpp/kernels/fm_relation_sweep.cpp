#include "fm_relation_sweep.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace aimass {

namespace fm_detail {

template <class T>
struct RelationScratch {
  static constexpr std::int64_t kMaxWidth = 64;
  Buffer<double> parts, factor, row_moments;
  T panel[kPanel * kMaxWidth], weighted[kPanel * kMaxWidth], gram[kMaxWidth * (kMaxWidth + 1)];
  T values[kPanel], weights[kPanel];
  RelationScratch(std::int64_t n_parts, std::int64_t width)
      : parts(std::max(simd::kGroupSums * n_parts, size_of_sums(width))),
        factor(width * width),
        row_moments(size_of_sums(width)) {}
};

template <class T>
class RelationSweep {
 public:
  RelationSweep(const Run& run, const FmRelationProblem<T>& problem)
      : run_(run),
        p_(problem),
        m_(problem.model),
        w_(m_.block_width),
        n_rows_(m_.columns.n_cols),
        only_entry_(static_cast<std::size_t>(n_rows_), -1),
        place_(static_cast<std::size_t>(n_rows_), -1),
        is_private_(static_cast<std::size_t>(m_.columns.n_rows), 0) {
    find_private_columns();
    const std::int64_t n_parts = parts_of(longest_column(m_.columns));
    scratch_.reserve(static_cast<std::size_t>(run.n_threads()));
    for (int t = 0; t < run.n_threads(); ++t) scratch_.emplace_back(n_parts, w_);
  }

  void sweep() {
    for (std::int64_t block = 0; block < m_.n_blocks(); ++block) {
      if (m_.last(block) <= m_.first(block)) continue;
      over_rows(kMostPieces, [&](std::int64_t row, int thread) {
        if (is_private_row(row)) {
          private_column(row, block, thread);
          return;
        }
        std::fill(state(row), state(row) + size_of_state(), 0.0);
        summarise(row, block, thread, state(row));
        open_group(row, block, 0);
      });
      if (n_shared_rows_ == 0 && n_private_ == m_.columns.n_rows) continue;
      for (std::int64_t slot = 0; slot < m_.last(block); slot += simd::kFmGroup) {
        for_each_column<kWork>(run_, m_, [&](std::int64_t c, bool divided, int thread) {
          if (is_private_[static_cast<std::size_t>(c)] != 0) return;
          group_of_slots(c, block, slot, divided, thread);
        });
        const bool is_last = slot + simd::kFmGroup >= m_.last(block);
        const std::int64_t n_pieces = is_last ? kMostPieces : n_rows_ / kRowsOfPiece + 1;
        over_rows(n_pieces, [&](std::int64_t row, int thread) {
          if (is_private_row(row)) return;
          close_group(row, block, slot);
          if (is_last) {
            update_errors(row, block, thread, state(row) + size_of_sums(w_));
          } else {
            open_group(row, block, slot + simd::kFmGroup);
          }
        });
      }
    }
  }

 private:
  template <class Body>
  void over_rows(std::int64_t most_pieces, Body&& body) {
    const std::int64_t n_pieces = std::min(n_rows_, most_pieces);
    parallel_for(run_, n_pieces, [&](std::int64_t piece, int thread) {
      const FlushDenormals flush;
      const Range range = block_range(n_rows_, n_pieces, piece);
      for (std::int64_t row = range.begin; row < range.end; ++row) body(row, thread);
    });
  }

  // Rows with one entry whose column has no other one; the others get memory for their moments.
  void find_private_columns() {
    std::vector<std::int32_t> n_entries(static_cast<std::size_t>(n_rows_), 0);
    for (std::int64_t e = 0; e < m_.columns.nnz(); ++e) {
      ++n_entries[static_cast<std::size_t>(m_.columns.indices[e])];
    }
    for (std::int64_t c = 0; c < m_.columns.n_rows; ++c) {
      const std::int64_t entry = m_.columns.begin(c);
      if (m_.columns.end(c) - entry != 1) continue;
      const auto row = static_cast<std::size_t>(m_.columns.indices[entry]);
      if (n_entries[row] != 1) continue;
      only_entry_[row] = entry;
      column_of_.resize(static_cast<std::size_t>(n_rows_), -1);
      column_of_[row] = c;
      is_private_[static_cast<std::size_t>(c)] = 1;
      ++n_private_;
    }
    for (std::size_t row = 0; row < place_.size(); ++row) {
      if (only_entry_[row] < 0) place_[row] = n_shared_rows_++;
    }
    states_ = Buffer<double>(n_shared_rows_ * size_of_state());
    if (n_shared_rows_ > 0) groups_ = Buffer<double>(n_rows_ * simd::kGroupState);
  }

  bool is_private_row(std::int64_t row) const {
    return only_entry_[static_cast<std::size_t>(row)] >= 0;
  }

  // The moments M and t of the cases of a row, and the total change U.
  std::int64_t size_of_state() const { return size_of_sums(w_) + w_; }
  double* state(std::int64_t row) {
    return states_.data() + place_[static_cast<std::size_t>(row)] * size_of_state();
  }

  // Copies what a group of slots needs to where columns read it.
  void open_group(std::int64_t row, std::int64_t block, std::int64_t slot) {
    constexpr std::int64_t n = simd::kFmGroup;
    const double *m = state(row), *t = m + w_ * w_;
    const T* q = p_.sums + row * m_.width + block * w_ + slot;
    double* own = groups_.data() + row * simd::kGroupState;
    for (std::int64_t i = 0; i < n; ++i) {
      const double* of_slot = m + (slot + i) * w_ + slot;
      std::copy(of_slot, of_slot + n, own + simd::kMatrix + i * n);
      own[simd::kFirst + i] = m[slot + i];
      own[simd::kErrors + i] = t[slot + i];
      own[simd::kSums + i] = static_cast<double>(q[i]);
    }
    if (slot == 0) own[simd::kSums] = 0;
    own[simd::kCount] = m[0];
    own[simd::kErrorSum] = t[0];
    own[simd::kConstant] = 0;
  }

  // U += u, and t -= M u for the slots that follow, where u has the constant and the change of q.
  void close_group(std::int64_t row, std::int64_t block, std::int64_t slot) {
    constexpr std::int64_t n = simd::kFmGroup;
    const double* own = groups_.data() + row * simd::kGroupState;
    double *m = state(row), *t = m + w_ * w_, *total = t + w_;
    T* q = p_.sums + row * m_.width + block * w_ + slot;
    t[0] = own[simd::kErrorSum];
    total[0] += own[simd::kConstant];
    const auto follow = [&](double u, const double* of_slot) {
      for (std::int64_t i = slot + n; i < m_.last(block); ++i) t[i] -= u * of_slot[i];
    };
    follow(own[simd::kConstant], m);
    for (std::int64_t i = slot == 0 ? 1 : 0; i < n; ++i) {
      const double u = own[simd::kSums + i] - static_cast<double>(q[i]);
      total[slot + i] = u;
      q[i] = static_cast<T>(own[simd::kSums + i]);
      follow(u, m + (slot + i) * w_);
    }
  }

  RelationScratch<T>& scratch(int thread) { return scratch_[static_cast<std::size_t>(thread)]; }

  simd::AlsEntries<T> entries(const FmOther<T>& other, std::int64_t from, std::int64_t n,
                              std::int64_t block) const {
    return {other.sums + block * w_, other.rows + from, m_.width, nullptr, nullptr, n};
  }

  // The vectors o of n cases into the panel.
  void gather(std::int64_t from, std::int64_t n, std::int64_t block, RelationScratch<T>& s) const {
    if (p_.others.empty()) std::fill(s.panel, s.panel + n * w_, T{0});
    bool is_first = true;
    for (const FmOther<T>& other : p_.others) {
      if (is_first) {
        simd::als_systems<T>().copy(entries(other, from, n, block), 0, n, w_, s.panel, nullptr);
        is_first = false;
        continue;
      }
      for (std::int64_t k = 0; k < n; ++k) {
        const T* row = other.sums + other.rows[from + k] * m_.width + block * w_;
        for (std::int64_t i = 0; i < w_; ++i) s.panel[k * w_ + i] += row[i];
      }
    }
    if (p_.others.size() != 1) {
      for (std::int64_t k = 0; k < n; ++k) s.panel[k * w_] = 1;
    }
  }

  // Polls now and then among the cases of a long row.
  void poll_within(std::int64_t at, std::int64_t begin) const {
    if (at > begin && (at - begin) % kPart == 0) run_.poll();
  }

  // Adds the moments of the cases of a row.
  void summarise(std::int64_t row, std::int64_t block, int thread, double* sums) {
    RelationScratch<T>& s = scratch(thread);
    const std::int64_t end = p_.case_indptr[row + 1];
    for (std::int64_t from = p_.case_indptr[row]; from < end; from += kPanel) {
      const std::int64_t n = std::min(kPanel, end - from);
      poll_within(from, p_.case_indptr[row]);
      if constexpr (std::is_same_v<T, double>) {
        if (reads_one_table() && p_.weights == nullptr) {
          simd::fm_kernels().moments(vectors(from, n, block), w_, m_.last(block), p_.errors,
                                     s.values, sums);
          continue;
        }
      }
      gather(from, n, block, s);
      const T* weighted = s.panel;
      for (std::int64_t k = 0; k < n; ++k) s.values[k] = p_.errors[p_.case_indices[from + k]];
      if (p_.weights != nullptr) {
        for (std::int64_t k = 0; k < n; ++k) s.weights[k] = p_.weights[p_.case_indices[from + k]];
        simd::fm_panels<T>().scale(s.weights, s.panel, n, w_, s.weighted);
        weighted = s.weighted;
      }
      add_panel(n, s.panel, weighted, s.values, w_, s.gram, sums);
    }
    if (!(std::is_same_v<T, double> && reads_one_table() && p_.weights == nullptr)) {
      complete(w_, sums);
    }
  }

  // Whether the vectors o are rows of one table, which need no panel.
  bool reads_one_table() const { return p_.others.size() == 1; }
  simd::FmVectors vectors(std::int64_t from, std::int64_t n, std::int64_t block) const
    requires std::is_same_v<T, double>
  {
    const FmOther<T>& other = p_.others[0];
    return {other.sums + block * w_, other.rows + from, m_.width, p_.case_indices + from, n};
  }

  // Draws the only column of a row, which has no other row, and corrects the errors of its cases.
  void private_column(std::int64_t row, std::int64_t block, int thread) {
    RelationScratch<T>& s = scratch(thread);
    const std::int64_t entry = only_entry_[static_cast<std::size_t>(row)];
    const std::int64_t column = column_of_[static_cast<std::size_t>(row)];
    const double x = static_cast<double>(m_.columns.data[entry]);
    double old[kMaxWidth], change[kMaxWidth], c[kMaxWidth], u[kMaxWidth] = {};
    const double* v = m_.coefficients + column * m_.width + block * w_;
    std::copy(v, v + w_, old);
    double* of_row = s.row_moments.data();
    double* sums = s.parts.data();
    std::fill(of_row, of_row + size_of_sums(w_), 0.0);
    summarise(row, block, thread, of_row);
    rest(row, x, block, old, c);
    if (x == 1 && std::all_of(c, c + w_, [](double value) { return value == 0; })) {
      sums = of_row;
    } else {
      std::fill(sums, sums + size_of_sums(w_), 0.0);
      simd::fm_kernels().add(x, of_row, c, w_, m_.last(block), sums);
    }
    draw(m_, column, block, sums, s.factor.data(), change);
    steps(row, x, block, c, change, u);
    update_errors(row, block, thread, u);
  }

  // u = the factor of o in the change of the errors of a row's cases; moves the row's sums.
  void steps(std::int64_t row, double x, std::int64_t block, const double* c, const double* change,
             double* u) const {
    double product = 0;
    for (std::int64_t i = 0; i < w_; ++i) product += c[i] * change[i];
    for (std::int64_t i = 0; i < w_; ++i) u[i] = x * change[i];
    u[0] += x * product;
    T* q = p_.sums + row * m_.width + block * w_;
    for (std::int64_t i = 1; i < w_; ++i) {
      q[i] = static_cast<T>(static_cast<double>(q[i]) + x * change[i]);
    }
  }

  // c = q - x v, with 0 in slot 0.
  void rest(std::int64_t row, double x, std::int64_t block, const double* v, double* c) const {
    const T* q = p_.sums + row * m_.width + block * w_;
    for (std::int64_t i = 1; i < w_; ++i) c[i] = static_cast<double>(q[i]) - x * v[i];
    c[0] = 0;
  }

  // Draws the coefficients of a column in the slots from `slot` of a block on.
  void group_of_slots(std::int64_t column, std::int64_t block, std::int64_t slot, bool divided,
                      int thread) {
    constexpr std::int64_t width = simd::kFmGroup;
    const simd::FmPanels<T>& kernels = simd::fm_panels<T>();
    const std::int64_t begin = m_.columns.begin(column), n = m_.columns.end(column) - begin;
    const auto entries = [&](std::int64_t part) {
      const std::int64_t from = begin + part * kPart;
      return simd::FmEntries<T>{groups_.data(), m_.columns.indices + from, m_.columns.data + from,
                                std::min(kPart, n - part * kPart)};
    };
    const double* coefficients = m_.coefficients + column * m_.width + block * w_ + slot;
    double v[width], change[width], of_factors[width];
    std::copy(coefficients, coefficients + width, v);
    if (slot == 0) v[0] = 0;
    double* parts = scratch(thread).parts.data();
    sum_parts(run_, divided, n, thread, simd::kGroupSums, parts,
              [&](std::int64_t part, int, double* of_part) {
                kernels.group_sums(entries(part), v, of_part);
              });
    const std::int64_t first = slot == 0 ? m_.first(block) : 0;
    const std::int64_t last = std::min(width, m_.last(block) - slot);
    if (first == 0 && last == width) {
      draw_group<true>(m_, column, block * w_ + slot, first, last, parts, change);
    } else {
      draw_group<false>(m_, column, block * w_ + slot, first, last, parts, change);
    }
    std::copy(change, change + width, of_factors);
    if (slot == 0) of_factors[0] = 0;
    for_each_part(run_, divided, n, thread, [&](std::int64_t part, int) {
      kernels.group_move(entries(part), v, change, of_factors);
    });
  }

  // e -= u'o for the cases of a row.
  void update_errors(std::int64_t row, std::int64_t block, int thread, const double* u) {
    RelationScratch<T>& s = scratch(thread);
    T step[kMaxWidth];
    for (std::int64_t i = 0; i < w_; ++i) step[i] = static_cast<T>(u[i]);
    const std::int64_t end = p_.case_indptr[row + 1];
    for (std::int64_t from = p_.case_indptr[row]; from < end; from += kPanel) {
      const std::int64_t n = std::min(kPanel, end - from);
      poll_within(from, p_.case_indptr[row]);
      if constexpr (std::is_same_v<T, double>) {
        if (reads_one_table()) {
          simd::fm_kernels().correct(vectors(from, n, block), m_.last(block), u, p_.errors);
          continue;
        }
      }
      if (reads_one_table()) {
        simd::als_passes<T>().scores(entries(p_.others[0], from, n, block), w_, step, false,
                                     s.values);
      } else {
        gather(from, n, block, s);
        simd::als_passes<T>().scores({s.panel, nullptr, w_, nullptr, nullptr, n}, w_, step, false,
                                     s.values);
      }
      for (std::int64_t k = 0; k < n; ++k) p_.errors[p_.case_indices[from + k]] -= s.values[k];
    }
  }

  static constexpr std::int64_t kMaxWidth = RelationScratch<T>::kMaxWidth;
  static constexpr std::int64_t kMostPieces = 512;       // of rows whose cases are read
  static constexpr std::int64_t kRowsOfPiece = 1 << 12;  // where they are not
  static constexpr std::int64_t kWork = 1 << 16;         // entries that pay for starting threads
  const Run& run_;
  const FmRelationProblem<T>& p_;
  const FmColumns<T>& m_;
  std::int64_t w_, n_rows_;
  std::int64_t n_shared_rows_ = 0, n_private_ = 0;
  std::vector<std::int64_t> only_entry_, place_, column_of_;  // of each row; -1: none
  std::vector<char> is_private_;                              // of each column
  Buffer<double> states_;                                     // of rows that are not private
  Buffer<double> groups_;  // of all rows: simd::kGroupState numbers each
  std::vector<RelationScratch<T>> scratch_;
};

}  // namespace fm_detail

template <class T>
void fm_relation_sweep(const Run& run, const FmRelationProblem<T>& problem) {
  fm_detail::RelationSweep<T>(run, problem).sweep();
}

template void fm_relation_sweep(const Run& run, const FmRelationProblem<float>& problem);
template void fm_relation_sweep(const Run& run, const FmRelationProblem<double>& problem);

}  // namespace aimass
