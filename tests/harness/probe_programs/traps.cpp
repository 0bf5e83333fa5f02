// Constructs of C++ that a probe can get wrong; what each is to give is in test_probe_cxx_traps.py.
#include <array>
#include <complex>
#include <cstdio>
#include <memory>
#include <numeric>
#include <vector>

template <typename T> T twice_01(T x) { T a = x; a += x; return a; }
template <int N> struct Sum_02 {
    double total = 0;
    double run(const std::array<double, N> &v) { for (int i = 0; i < N; i++) total += v[i]; return total; }
};
static double lambda_03() { double a = 0; auto add = [&](double x) { a += x; }; add(2); a = a + 1; return a; }
static double range_04(const std::vector<double> &v) { double a = 0; int i = 0; for (double x : v) { a += x; i++; } return a; }
static double range_index_05() { double a = 0; for (int i : {2, 4}) a = 10 * i; return a; }
static void reference_06(double &out, const double &in) { out = in + 1; }
static double calls_07() { double a = 1; reference_06(a, a); double &r = a; r = 9; return a; }
class Cell {
  public:
    explicit Cell(double x) : x_(x) { y_ = 2 * x; }
    double volume_08(int i) { double v = x_ * i; y_ += v; return v; }
    double outside_09(int i);
    Cell &operator+=(const Cell &o) { x_ += o.x_; return *this; }
    double x_, y_ = 0;
};
double Cell::outside_09(int i) { double v = this->x_ + i; return v; }
namespace inner { static double named_10(double x) { double a = x; a *= 3; return a; } }
static double overload_11(int i) { double a = i; return a; }
static double overload_11(double x) { double a = x; return a; }
static double vector_12() { std::vector<double> v(2); v[0] = 1; v.push_back(5); v.at(1) = 7; return v[0] + v[1]; }
static double casts_13(int i) { double a = static_cast<double>(i) / 2; auto b = a + 1; a = b; return a; }
static double try_14() { double a = 0; try { a = 1; throw 2; } catch (int code) { a = code; } return a; }
static double structured_15() { auto [p, q] = std::pair<double, double>(1, 2); double a = p + q; return a; }
static double unique_16() { auto p = std::make_unique<Cell>(2); p->y_ = 11; return p->y_; }
static double defaulted_17(double x, double y = 3) { double a = x * y; return a; }
static constexpr double constant_18(double x) { return 2 * x; }
static double if_init_19() { double a = 0; if (int i = 3; i > 2) a = i; return a; }
static int counted_21() { static int n = 0; ++n; return n; }
static int before_main = counted_21();
extern "C" double plain_20(double x) { double a = x; return a; }

int main() {
    double s = twice_01(1.5) + twice_01(2);
    Sum_02<2> sum; s += sum.run({1, 2});
    s += lambda_03() + range_04({1, 2, 3}) + range_index_05() + calls_07();
    Cell cell(3); s += cell.volume_08(1) + cell.outside_09(2); cell += Cell(1);
    s += inner::named_10(2) + overload_11(1) + overload_11(2.5) + vector_12() + casts_13(3) + try_14() + structured_15();
    s += unique_16() + defaulted_17(2) + constant_18(1) + if_init_19() + plain_20(8);
    std::printf("%.17g %d %d\n", s, before_main, counted_21());
}
