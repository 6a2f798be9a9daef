#include "fm_relation_sweep.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace aimass {

namespace fm_detail {

template <class T>
struct RelationScratch {
  static constexpr std::int64_t kMaxWidth = 64;
  static constexpr std::int64_t kRows = 64;  // entries of a column that are worked on together
  Buffer<double> parts, factor, row_moments, row_panel;
  double* states[kRows];
  double x[kRows];
  T panel[kPanel * kMaxWidth], weighted[kPanel * kMaxWidth], gram[kMaxWidth * (kMaxWidth + 1)];
  T values[kPanel], weights[kPanel];
  RelationScratch(std::int64_t n_parts, std::int64_t width)
      : parts(n_parts * size_of_sums(width)),
        factor(width * width),
        row_moments(size_of_sums(width)),
        row_panel(2 * kRows * width) {}
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
      over_rows([&](std::int64_t row, int thread) {
        if (only_entry_[static_cast<std::size_t>(row)] >= 0) {
          private_column(row, block, thread);
        } else {
          open(row, block);
          summarise(row, block, thread, state(row));
        }
      });
      if (n_shared_rows_ == 0 && n_private_ == m_.columns.n_rows) continue;
      for_each_column(run_, m_, [&](std::int64_t c, const Run* divided, int thread) {
        if (is_private_[static_cast<std::size_t>(c)] != 0) return;
        const FlushDenormals flush;
        column(c, block, divided, thread);
      });
      over_rows([&](std::int64_t row, int thread) {
        if (only_entry_[static_cast<std::size_t>(row)] < 0) {
          update_errors(row, block, thread, state(row) + size_of_sums(w_));
          close(row, block);
        }
      });
    }
  }

 private:
  template <class Body>
  void over_rows(Body&& body) {
    const std::int64_t n_pieces = std::min<std::int64_t>(n_rows_, 512);
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
  }

  // The moments of the cases of a row, the total change, and the sums of factors.
  std::int64_t size_of_state() const { return size_of_sums(w_) + 2 * w_; }
  double* state(std::int64_t row) {
    return states_.data() + place_[static_cast<std::size_t>(row)] * size_of_state();
  }
  void open(std::int64_t row, std::int64_t block) {
    double *own = state(row), *q = own + size_of_sums(w_) + w_;
    std::fill(own, q, 0.0);
    const T* sums = p_.sums + row * m_.width + block * w_;
    for (std::int64_t i = 0; i < w_; ++i) q[i] = static_cast<double>(sums[i]);
    q[0] = 0;
  }
  void close(std::int64_t row, std::int64_t block) {
    const double* q = state(row) + size_of_sums(w_) + w_;
    T* sums = p_.sums + row * m_.width + block * w_;
    for (std::int64_t i = 1; i < w_; ++i) sums[i] = static_cast<T>(q[i]);
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

  // Adds the moments of the cases of a row.
  void summarise(std::int64_t row, std::int64_t block, int thread, double* sums) {
    RelationScratch<T>& s = scratch(thread);
    const std::int64_t end = p_.case_indptr[row + 1];
    for (std::int64_t from = p_.case_indptr[row]; from < end; from += kPanel) {
      const std::int64_t n = std::min(kPanel, end - from);
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

  void column(std::int64_t column, std::int64_t block, const Run* run, int thread) {
    RelationScratch<T>& s = scratch(thread);
    const std::int64_t begin = m_.columns.begin(column), n = m_.columns.end(column) - begin;
    double old[kMaxWidth], change[kMaxWidth];
    const double* v = m_.coefficients + column * m_.width + block * w_;
    std::copy(v, v + w_, old);
    old[0] = 0;
    // body(rows, scratch) for the entries of a part.
    const auto for_rows = [&](std::int64_t part, int worker, auto&& body) {
      RelationScratch<T>& own = scratch(run == nullptr ? thread : worker);
      const std::int64_t end = begin + std::min(n, (part + 1) * kPart);
      for (std::int64_t from = begin + part * kPart; from < end; from += own.kRows) {
        const std::int64_t n_rows = std::min(own.kRows, end - from);
        for (std::int64_t k = 0; k < n_rows; ++k) {
          own.states[k] = state(m_.columns.indices[from + k]);
          own.x[k] = static_cast<double>(m_.columns.data[from + k]);
        }
        body(simd::FmRows{own.states, own.x, n_rows}, own);
      }
    };
    const auto add_part = [&](std::int64_t part, int worker, double* sums) {
      std::fill(sums, sums + size_of_sums(w_), 0.0);
      for_rows(part, worker, [&](const simd::FmRows& rows, RelationScratch<T>& own) {
        simd::fm_kernels().add_rows(rows, old, w_, m_.last(block), own.row_panel.data(), sums);
      });
    };
    sum_parts(run, n, size_of_sums(w_), s.parts.data(), add_part);
    complete(w_, s.parts.data());
    draw(m_, column, block, s.parts.data(), s.factor.data(), change);
    const auto move_part = [&](std::int64_t part, int worker) {
      for_rows(part, worker, [&](const simd::FmRows& rows, RelationScratch<T>&) {
        simd::fm_kernels().move_rows(rows, old, change, w_, m_.last(block));
      });
    };
    if (run != nullptr && parts_of(n) > 1) {
      parallel_for(*run, parts_of(n), move_part);
    } else {
      for (std::int64_t part = 0; part < parts_of(n); ++part) move_part(part, thread);
    }
  }

  // e -= u'o for the cases of a row.
  void update_errors(std::int64_t row, std::int64_t block, int thread, const double* u) {
    RelationScratch<T>& s = scratch(thread);
    T step[kMaxWidth];
    for (std::int64_t i = 0; i < w_; ++i) step[i] = static_cast<T>(u[i]);
    const std::int64_t end = p_.case_indptr[row + 1];
    for (std::int64_t from = p_.case_indptr[row]; from < end; from += kPanel) {
      const std::int64_t n = std::min(kPanel, end - from);
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
  const Run& run_;
  const FmRelationProblem<T>& p_;
  const FmColumns<T>& m_;
  std::int64_t w_, n_rows_;
  std::int64_t n_shared_rows_ = 0, n_private_ = 0;
  std::vector<std::int64_t> only_entry_, place_, column_of_;  // of each row; -1: none
  std::vector<char> is_private_;                              // of each column
  Buffer<double> states_;
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
