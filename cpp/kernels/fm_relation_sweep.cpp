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
        double* sums = scratch(thread).row_moments.data();
        std::fill(sums, sums + size_of_sums(w_), 0.0);
        summarise(row, block, thread, sums);
        open_row(row, block, sums);
      });
      if (n_shared_rows_ == 0 && n_private_ == m_.columns.n_rows) continue;
      for (std::int64_t group = 0; group < n_groups(block); ++group) {
        for_each_column<kWork>(run_, m_, [&](std::int64_t c, bool divided, int thread) {
          if (is_private_[static_cast<std::size_t>(c)] != 0) return;
          column_of_group(c, block, group, divided, thread);
        });
        const bool is_last = group + 1 == n_groups(block);
        const std::int64_t n_pieces = is_last ? kMostPieces : n_rows_ / kRowsOfPiece + 1;
        over_rows(n_pieces, [&](std::int64_t row, int thread) {
          if (is_private_row(row)) return;
          if (is_last) {
            close_row(row, block, thread);
          } else {
            pass_on(row, block, group);
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
    if (n_shared_rows_ == 0) return;
    std::int64_t most = 0;
    for (std::int64_t block = 0; block < m_.n_blocks(); ++block) {
      most = std::max(most, n_groups(block));
    }
    n_pairs_ = most * (most - 1) / 2;
    groups_ = Buffer<double>(most * n_shared_rows_ * simd::kGroupState);
    first_error_sums_ = Buffer<double>(n_shared_rows_);
    pairs_ = Buffer<double>(n_shared_rows_ * n_pairs_ * kPair);
    if (n_private_ == 0) return;
    places_.resize(static_cast<std::size_t>(m_.columns.nnz()));
    for (std::size_t e = 0; e < places_.size(); ++e) {
      const auto row = static_cast<std::size_t>(m_.columns.indices[e]);
      places_[e] = static_cast<std::int32_t>(place_[row]);
    }
  }

  bool is_private_row(std::int64_t row) const {
    return only_entry_[static_cast<std::size_t>(row)] >= 0;
  }

  // Rows of the states of each entry of the columns.
  const std::int32_t* places() const {
    return places_.empty() ? m_.columns.indices : places_.data();
  }

  std::int64_t n_groups(std::int64_t block) const {
    return (m_.last(block) + simd::kFmGroup - 1) / simd::kFmGroup;
  }
  double* states(std::int64_t group) const {
    return groups_.data() + group * n_shared_rows_ * simd::kGroupState;
  }
  double* state(std::int64_t row, std::int64_t group) const {
    return states(group) + place_[static_cast<std::size_t>(row)] * simd::kGroupState;
  }
  double* pairs(std::int64_t row) const {
    return pairs_.data() + place_[static_cast<std::size_t>(row)] * n_pairs_ * kPair;
  }
  T* factor_sums(std::int64_t row, std::int64_t block) const {
    return p_.sums + row * m_.width + block * w_;
  }

  // Copies the moments of the cases of a row to where columns read them: those of each group, then
  // the sums of o o' of each pair of groups.
  void open_row(std::int64_t row, std::int64_t block, const double* sums) {
    constexpr std::int64_t n = simd::kFmGroup;
    const double *m = sums, *t = m + w_ * w_;
    const T* q = factor_sums(row, block);
    double* pair = n_pairs_ > 0 ? pairs(row) : nullptr;
    first_error_sums_[place_[static_cast<std::size_t>(row)]] = t[0];
    for (std::int64_t group = 0; group < n_groups(block); ++group) {
      const std::int64_t slot = group * n;
      double* own = state(row, group);
      const auto of_pair = [&](std::int64_t i, std::int64_t j) {
        return m[(slot + std::min(i, j)) * w_ + slot + std::max(i, j)];
      };
      for (std::int64_t i = 0; i < n; ++i) {
        own[simd::kErrors + i] = t[slot + i];
        own[simd::kSums + i] = static_cast<double>(q[slot + i]);
        own[simd::kFirst + i] = m[slot + i];
        own[simd::kDiagonal + i] = of_pair(i, i);
        own[simd::kNext + i] = of_pair(i, (i + 1) % n);
      }
      own[simd::kOpposite] = of_pair(0, 2);
      own[simd::kOpposite + 1] = of_pair(1, 3);
      own[simd::kHalfCount] = 0.5 * m[0];
      own[simd::kErrorSum] = t[0];
      if (group == 0) own[simd::kSums] = 0;
      for (std::int64_t to = slot + n; to < n_groups(block) * n; to += n) {
        for (std::int64_t i = 0; i < n; ++i, pair += n) {
          std::copy(m + (slot + i) * w_ + to, m + (slot + i) * w_ + to + n, pair);
        }
      }
    }
  }

  // The changes of the factors of a group since the sweep began, 0 in the slot of the linear
  // coefficient.
  void changes(std::int64_t row, std::int64_t block, std::int64_t group, double* u) const {
    const double* own = state(row, group) + simd::kSums;
    const T* q = factor_sums(row, block) + group * simd::kFmGroup;
    for (std::int64_t i = 0; i < simd::kFmGroup; ++i) u[i] = own[i] - static_cast<double>(q[i]);
    if (group == 0) u[0] = 0;
  }

  // What the predictions of the cases of a row have grown by without o, in a group with the changes
  // u of its factors: the sum of the errors has fallen by this for each case, and by m'u. 0 where
  // no case has a weight.
  double constant(std::int64_t row, std::int64_t group, const double* u) const {
    const double* own = state(row, group);
    if (own[simd::kHalfCount] == 0) return 0;
    const double before = group == 0 ? first_error_sums_[place_[static_cast<std::size_t>(row)]]
                                     : state(row, group - 1)[simd::kErrorSum];
    double fallen = before - own[simd::kErrorSum];
    for (std::int64_t i = 0; i < simd::kFmGroup; ++i) fallen -= own[simd::kFirst + i] * u[i];
    return fallen / (2 * own[simd::kHalfCount]);
  }

  // After a group: t -= M u for the groups that follow, where u has the constant and the change
  // of q.
  void pass_on(std::int64_t row, std::int64_t block, std::int64_t group) {
    constexpr std::int64_t n = simd::kFmGroup;
    const double* own = state(row, group);
    double u[n];
    changes(row, block, group, u);
    const double change = constant(row, group, u);
    const double* pair = pairs(row);
    for (std::int64_t before = 0; before < group; ++before) {
      pair += (n_groups(block) - 1 - before) * kPair;
    }
    for (std::int64_t to = group + 1; to < n_groups(block); ++to, pair += kPair) {
      double* next = state(row, to);
      for (std::int64_t i = 0; i < n; ++i) {
        next[simd::kErrors + i] -= (u[0] * pair[i] + u[1] * pair[n + i]) +
                                   (u[2] * pair[2 * n + i] + u[3] * pair[3 * n + i]) +
                                   change * next[simd::kFirst + i];
      }
    }
    state(row, group + 1)[simd::kErrorSum] = own[simd::kErrorSum];
  }

  // After the last group: the sums of factors of the row, and the errors of its cases.
  void close_row(std::int64_t row, std::int64_t block, int thread) {
    double u[kMaxWidth] = {}, total = 0;
    for (std::int64_t group = 0; group < n_groups(block); ++group) {
      double* own = u + group * simd::kFmGroup;
      changes(row, block, group, own);
      total += constant(row, group, own);
    }
    u[0] = total;
    T* q = factor_sums(row, block);
    for (std::int64_t group = 0; group < n_groups(block); ++group) {
      const double* own = state(row, group) + simd::kSums;
      for (std::int64_t i = group == 0 ? 1 : 0; i < simd::kFmGroup; ++i) {
        q[group * simd::kFmGroup + i] = static_cast<T>(own[i]);
      }
    }
    update_errors(row, block, thread, u);
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

  // Adds the moments of the cases of a row, the upper triangle of the matrix.
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
    complete(w_, m_.last(block), of_row);
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

  // Draws the coefficients of a column in a group of slots of a block.
  void column_of_group(std::int64_t column, std::int64_t block, std::int64_t index, bool divided,
                       int thread) {
    constexpr std::int64_t width = simd::kFmGroup;
    const simd::FmPanels<T>& kernels = simd::fm_panels<T>();
    const std::int64_t begin = m_.columns.begin(column), n = m_.columns.end(column) - begin;
    const auto entries = [&](std::int64_t part) {
      const std::int64_t from = begin + part * kPart;
      return simd::FmEntries<T>{states(index), places() + from, m_.columns.data + from,
                                std::min(kPart, n - part * kPart)};
    };
    const std::int64_t slot = index * width, at = block * w_ + slot;
    const std::int64_t prior = m_.groups[column] * m_.width + at;
    const simd::FmGroup group{m_.coefficients + column * m_.width + at,
                              m_.prior_mean + prior,
                              m_.prior_precision + prior,
                              m_.noise == nullptr ? nullptr : m_.noise + column * m_.width + at,
                              m_.alpha,
                              slot == 0 ? m_.first(block) : 0,
                              std::min(width, m_.last(block) - slot),
                              slot == 0};
    if (n <= kPart) {
      if (!kernels.group_column(entries(0), group)) throw_no_finite_coefficients(column);
      return;
    }
    double v[width], change[width], of_factors[width];
    std::copy(group.coefficients, group.coefficients + width, v);
    if (slot == 0) v[0] = 0;
    double* parts = scratch(thread).parts.data();
    sum_parts(run_, divided, n, thread, simd::kGroupSums, parts,
              [&](std::int64_t part, int, double* of_part) {
                kernels.group_sums(entries(part), v, of_part);
              });
    if (!simd::fm_kernels().group_draw(group, parts, change)) throw_no_finite_coefficients(column);
    for (std::int64_t i = 0; i < width; ++i) group.coefficients[i] += change[i];
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
  static constexpr std::int64_t kPair = simd::kFmGroup * simd::kFmGroup;
  static constexpr std::int64_t kMostPieces = 512;       // of rows whose cases are read
  static constexpr std::int64_t kRowsOfPiece = 1 << 12;  // where they are not
  static constexpr std::int64_t kWork = 1 << 16;         // entries that pay for starting threads
  const Run& run_;
  const FmRelationProblem<T>& p_;
  const FmColumns<T>& m_;
  std::int64_t w_, n_rows_;
  std::int64_t n_shared_rows_ = 0, n_private_ = 0, n_pairs_ = 0;
  std::vector<std::int64_t> only_entry_, place_, column_of_;  // of each row; -1: none
  std::vector<char> is_private_;                              // of each column
  std::vector<std::int32_t> places_;                          // of the entries; empty: their rows
  Buffer<double> groups_;            // of rows that are not private, for each group of slots
  Buffer<double> first_error_sums_;  // of the same rows, before the first group
  Buffer<double> pairs_;             // of the same rows: sums of o o' of two groups
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
