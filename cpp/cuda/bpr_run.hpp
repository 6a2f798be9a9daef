// An epoch of BPR on a machine, a GPU or its emulation: schedule, memory, launches and transfers.
// The work is in bpr_step.hpp.
//
// Schedule and draws are those of the processor (sgd_strata.hpp, negative_sampler.hpp), so both
// take the same steps. They do not depend on the parameters: while the device takes the steps of a
// round, the host draws those of the next one. Rounds are one after the other on the device, each
// with one block of threads for each part of the users. All parameters stay on the device for the
// epoch.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "../kernels/negative_sampler.hpp"
#include "../kernels/sgd_finite.hpp"
#include "bpr_epoch.hpp"
#include "bpr_step.hpp"
#include "travelling.hpp"
#include "two_streams.hpp"

namespace aimass::cuda {

// The steps of a round; block b takes those from begin[b] to begin[b + 1].
template <class T>
struct BprLaunch {
  static constexpr int kThreads = 64;
  using Shared = BprShared<T>;

  BprProblem<T> a;
  const std::int64_t* begin = nullptr;
  const std::int32_t* steps = nullptr;
  T* scratch = nullptr;  // of the first block; those of the others follow
  BprSums* sums = nullptr;
  // A launch takes kSteps steps of each block, so that a round with many hears Ctrl-C.
  static constexpr std::int64_t kSteps = 1 << 15;
  std::int64_t first = 0;  // step of a block that the launch begins with

  template <class Block>
  AIMASS_DEVICE void operator()(Block& block, Shared& shared, void*, std::int64_t own,
                                std::int64_t n_blocks) const {
    (void)n_blocks;
    const std::int64_t n_items = 1 + a.n_candidates;
    const std::int64_t left = begin[own + 1] - begin[own] - first;
    const std::int64_t n = left < 0 ? 0 : left < kSteps ? left : kSteps;
    take_bpr_steps(block, a, steps + (begin[own] + first) * (1 + n_items), n,
                   scratch + own * n_items * (kLanes + 1), shared);
    block.each([&](int thread) {
      if (thread != 0) return;
      if (first == 0) sums[own] = {0, 0};
      sums[own].loss += shared.sums.loss;
      sums[own].n_correct += shared.sums.n_correct;
    });
  }
};

// The parameters of one side on the device, and back.
template <class T, class Machine>
class SideOnDevice {
 public:
  SideOnDevice(Machine& machine, const simd::SgdRows<T>& host, std::int64_t n, std::int64_t width)
      : machine_(machine),
        host_(host),
        n_(n),
        width_(width),
        factors_(machine, n * width),
        first_(machine, size(host.first, n * width)),
        second_(machine, size(host.second, n * width)),
        biases_(machine, size(host.biases, n)),
        bias_first_(machine, size(host.bias_first, n)),
        bias_second_(machine, size(host.bias_second, n)),
        steps_(machine, size(host.steps, n)) {
    each([&](auto* of_host, auto* of_device, std::int64_t count) {
      machine_.copy_in(0, of_device, of_host, count);
    });
  }

  simd::SgdRows<T> rows() const {
    const auto or_none = [](auto* of_host, auto* of_device) {
      return of_host == nullptr ? nullptr : of_device;
    };
    return {factors_.data(),
            or_none(host_.first, first_.data()),
            or_none(host_.second, second_.data()),
            or_none(host_.biases, biases_.data()),
            or_none(host_.bias_first, bias_first_.data()),
            or_none(host_.bias_second, bias_second_.data()),
            or_none(host_.steps, steps_.data())};
  }

  void copy_back() {
    each([&](auto* of_host, auto* of_device, std::int64_t count) {
      machine_.copy_out(0, of_host, of_device, count);
    });
  }

  // Bytes of a side with such arrays.
  static std::int64_t bytes(const simd::SgdRows<T>& host, std::int64_t n, std::int64_t width) {
    const auto value = static_cast<std::int64_t>(sizeof(T));
    return value * (n * width + size(host.first, n * width) + size(host.second, n * width) +
                    size(host.biases, n) + size(host.bias_first, n) + size(host.bias_second, n)) +
           4 * size(host.steps, n);
  }

 private:
  template <class Value>
  static std::int64_t size(const Value* array, std::int64_t n) {
    return array == nullptr ? 0 : n;
  }

  template <class Copy>
  void each(const Copy& copy) {
    copy(host_.factors, factors_.data(), n_ * width_);
    copy(host_.first, first_.data(), size(host_.first, n_ * width_));
    copy(host_.second, second_.data(), size(host_.second, n_ * width_));
    copy(host_.biases, biases_.data(), size(host_.biases, n_));
    copy(host_.bias_first, bias_first_.data(), size(host_.bias_first, n_));
    copy(host_.bias_second, bias_second_.data(), size(host_.bias_second, n_));
    copy(host_.steps, steps_.data(), size(host_.steps, n_));
  }

  Machine& machine_;
  simd::SgdRows<T> host_;
  std::int64_t n_, width_;
  typename Machine::template Buffer<T> factors_, first_, second_, biases_, bias_first_,
      bias_second_;
  typename Machine::template Buffer<std::int32_t> steps_;
};

// Draws the steps of one round after another on the host.
template <class T>
class BprRounds {
 public:
  BprRounds(const Run& run, const PairwiseProblem<T>& problem)
      : run_(run),
        n_candidates_(problem.n_candidates),
        strata_(run, problem.x, problem.n_strata,
                derived_key(derived_key(problem.seed, 0), problem.epoch), false),
        tables_(run, strata_, problem.x.n_cols, problem.weights),
        steps_(static_cast<std::size_t>(problem.n_strata)),
        n_skipped_(static_cast<std::size_t>(problem.n_strata), 0),
        samplers_(static_cast<std::size_t>(run.n_threads()), NegativeSampler(tables_)) {}

  // The most steps of any round.
  std::int64_t most_steps() const {
    std::int64_t most = 0;
    for (std::int64_t r = 0; r < strata_.n_strata(); ++r)
      most = std::max(most, strata_.n_entries_of_round(r));
    return most;
  }

  // Writes the steps of a round, part after part, and where those of each part begin.
  void draw(std::int64_t round, std::int64_t* begin, std::int32_t* steps) {
    for (auto& own : steps_) own.clear();
    strata_.for_each_tile_of_round(
        run_, round, 0, [&](const auto& tile, int thread, std::int64_t block) {
          const auto part = static_cast<std::size_t>(block % strata_.n_strata());
          draw_tile(tile, samplers_[static_cast<std::size_t>(thread)], steps_[part],
                    n_skipped_[part]);
        });
    begin[0] = 0;
    for (std::size_t part = 0; part < steps_.size(); ++part) {
      steps = std::copy(steps_[part].begin(), steps_[part].end(), steps);
      begin[part + 1] =
          begin[part] + static_cast<std::int64_t>(steps_[part].size()) / (2 + n_candidates_);
    }
  }

  std::int64_t n_skipped() const {
    return std::accumulate(n_skipped_.begin(), n_skipped_.end(), std::int64_t{0});
  }

 private:
  template <class Tile>
  void draw_tile(const Tile& tile, NegativeSampler& sampler, std::vector<std::int32_t>& steps,
                 std::int64_t& n_skipped) const {
    sampler.enter(tile, tile.items - strata_.items());
    shuffle(derived_key(tile.key, 0), tile.entries, tile.n_entries);
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      const TileEntry entry = tile.entries[e];
      const std::size_t before = steps.size();
      steps.push_back(tile.users[entry.user]);
      steps.push_back(tile.items[entry.item]);
      for (std::int64_t c = 0; c < n_candidates_; ++c) {
        const std::int64_t j =
            sampler.draw(entry.user, static_cast<std::uint64_t>(e * n_candidates_ + c));
        if (j < 0) {  // the user has all items of the stratum
          steps.resize(before);
          ++n_skipped;
          break;
        }
        steps.push_back(tile.items[j]);
      }
    }
    sampler.leave(tile);
  }

  const Run& run_;
  std::int64_t n_candidates_;
  SgdStrata<T> strata_;
  AliasTables tables_;
  std::vector<std::vector<std::int32_t>> steps_;  // of each part
  std::vector<std::int64_t> n_skipped_;
  std::vector<NegativeSampler> samplers_;
};

// Steps of a round that travel on one stream, and what they add up to.
template <class T, class Machine>
struct BprTraveller {
  TravellingArray<std::int64_t, Machine> begin;
  TravellingArray<std::int32_t, Machine> steps;
  TravellingArray<BprSums, Machine> sums;

  BprTraveller(Machine& machine, std::int64_t n_parts, std::int64_t n_numbers)
      : begin(machine, n_parts + 1), steps(machine, n_numbers), sums(machine, n_parts) {}
};

template <class T, class Machine>
EpochSums bpr_epoch_on(Machine& machine, const PairwiseProblem<T>& problem, const Run& run) {
  using Side = SideOnDevice<T, Machine>;
  const std::int64_t n_parts = problem.n_strata, width = problem.width;
  const std::int64_t of_step = 2 + problem.n_candidates;
  const std::int64_t of_block = (1 + problem.n_candidates) * (kLanes + 1);
  const auto value = static_cast<std::int64_t>(sizeof(T));
  BprRounds<T> rounds(run, problem);
  const std::int64_t n_numbers = rounds.most_steps() * of_step;
  require_memory(machine.info(),
                 Side::bytes(problem.users, problem.x.n_rows, width) +
                     Side::bytes(problem.items, problem.x.n_cols, width) +
                     value * (n_parts * of_block + problem.steps.n_corrections) +
                     2 * (4 * n_numbers + 8 * (n_parts + 1) + 16 * n_parts),
                 "BPR");
  Side users(machine, problem.users, problem.x.n_rows, width);
  Side items(machine, problem.items, problem.x.n_cols, width);
  const typename Machine::template Buffer<T> scratch(machine, n_parts * of_block);
  const typename Machine::template Buffer<T> corrections(machine, problem.steps.n_corrections);
  machine.copy_in(0, corrections.data(), problem.steps.corrections, problem.steps.n_corrections);
  machine.wait(0);
  BprLaunch<T> work;
  work.a = {users.rows(),  items.rows(),     width, problem.n_candidates, problem.rule,
            problem.steps, problem.penalties};
  work.a.steps.corrections = corrections.data();
  work.scratch = scratch.data();
  BprTraveller<T, Machine> travellers[2] = {{machine, n_parts, n_numbers},
                                            {machine, n_parts, n_numbers}};
  EpochSums total;
  in_two_streams(
      machine, run, n_parts,
      [&](std::int64_t round, int stream) {
        rounds.draw(round, travellers[stream].begin.host(), travellers[stream].steps.host());
      },
      [&](std::int64_t, int stream) {
        BprTraveller<T, Machine>& mine = travellers[stream];
        const std::int64_t n_steps = mine.begin.host()[n_parts];
        mine.begin.send(stream, n_parts + 1);
        mine.steps.send(stream, n_steps * of_step);
        work.begin = mine.begin.device();
        work.steps = mine.steps.device();
        work.sums = mine.sums.device();
        machine.wait(1 - stream);  // rounds share rows: the one before has to be complete
        const std::int64_t* of_part = mine.begin.host();
        std::int64_t most = 0;
        for (std::int64_t part = 0; part < n_parts; ++part)
          most = std::max(most, of_part[part + 1] - of_part[part]);
        work.first = 0;
        machine.launch(stream, n_parts, 0, work);
        while (work.first + BprLaunch<T>::kSteps < most) {
          machine.wait(stream);
          run.poll();
          work.first += BprLaunch<T>::kSteps;
          machine.launch(stream, n_parts, 0, work);
        }
        mine.sums.fetch(stream, n_parts);
      },
      [&](std::int64_t, int stream) {
        for (std::int64_t part = 0; part < n_parts; ++part) {
          const BprSums& sums = travellers[stream].sums.host()[part];
          total.add({sums.loss, 0, sums.n_correct, 0});
        }
        total.n_steps += travellers[stream].begin.host()[n_parts];
        if (!std::isfinite(total.loss)) throw diverged(problem.epoch);
      });
  total.n_skipped = rounds.n_skipped();
  users.copy_back();
  items.copy_back();
  machine.wait(0);
  require_finite(run, problem.users.factors, problem.users.biases, problem.x.n_rows, width,
                 problem.epoch);
  require_finite(run, problem.items.factors, problem.items.biases, problem.x.n_cols, width,
                 problem.epoch);
  return total;
}

}  // namespace aimass::cuda
