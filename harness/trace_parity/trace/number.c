/* Decimal to double, correctly rounded. Method: D. Lemire, Number parsing at a gigabyte per second, Software: Practice
 * and Experience 51 (2021) 1700; whatever that method leaves open goes to strtod. */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define LOWEST (-342)
static uint64_t powers[2 * 651];

void ts_powers(const uint64_t *table);

void ts_powers(const uint64_t *table) {
    memcpy(powers, table, sizeof powers);
}

static int leading_zeros(uint64_t w) {
    return __builtin_clzll(w);
}

/* w * 10^q for w != 0; 0 when the method cannot decide or the result is not a normal double. */
static int scaled(uint64_t w, int q, double *value) {
    if (q < -307 || q > 288) return 0;
    int zeros = leading_zeros(w);
    w <<= zeros;
    const uint64_t *power = powers + 2 * (q - LOWEST);
    wide product = (wide)w * power[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF) {
        uint64_t more = (uint64_t)(((wide)w * power[1]) >> 64);
        low += more;
        if (more > low) high++;
    }
    if (low == UINT64_MAX && (q < -27 || q > 55)) return 0;
    int upper = (int)(high >> 63);
    int shift = upper + 64 - 52 - 3;
    uint64_t mantissa = high >> shift;
    int exponent = (int)((217706 * (int64_t)q) >> 16) + 63 + upper - zeros + 1023;
    if (exponent <= 0 || exponent >= 0x7FE) return 0;
    /* Exactly between two doubles: round to even. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << shift == high) mantissa &= ~UINT64_C(1);
    mantissa += mantissa & 1;
    mantissa >>= 1;
    if (mantissa >= UINT64_C(2) << 52) {
        mantissa = UINT64_C(1) << 52;
        exponent++;
    }
    uint64_t bits = (mantissa & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52;
    memcpy(value, &bits, sizeof bits);
    return 1;
}

static int digit(char c) {
    return c >= '0' && c <= '9';
}

/* Significant digits read so far: the first 19 as a number, and how many were left out. */
typedef struct {
    uint64_t w;
    int digits, left_out, exponent;
} decimal;

/* Eight digits at once, first digit in the lowest byte; 0 when these are not all digits. */
static int eight_digits(const char *s, uint64_t *value) {
    uint64_t v;
    memcpy(&v, s, sizeof v);
    if ((((v + 0x4646464646464646u) | (v - 0x3030303030303030u)) & 0x8080808080808080u) != 0) return 0;
    v -= 0x3030303030303030u;
    v = v * 10 + (v >> 8);
    *value = ((v & 0x000000FF000000FFu) * 0x000F424000000064u +
              ((v >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u) >> 32;
    return 1;
}

#define MOST_DIGITS 19 /* that 64 bits hold whatever they are */

static const char *digits(const char *s, decimal *d, int fraction) {
    const char *start = s;
    uint64_t w = d->w;
    int count = d->digits;
    if (w == 0)
        while (*s == '0') s++;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (uint64_t eight; fraction && count <= MOST_DIGITS - 8 && eight_digits(s, &eight); s += 8) {
        w = w * 100000000 + eight;
        count += 8; /* most numbers have 17 */
    }
#endif
    for (; digit(*s) && count < MOST_DIGITS; s++, count++) w = w * 10 + (uint64_t)(*s - '0');
    if (fraction) d->exponent -= (int)(s - start);
    const char *end = s;
    while (digit(*end)) end++;
    if (end != s) {
        d->left_out = 1;
        if (!fraction) d->exponent += (int)(end - s);
    }
    d->w = w;
    d->digits = count;
    return end;
}

static const char *exponent(const char *s, decimal *d) {
    int negative = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!digit(*s)) return NULL;
    int e = 0;
    for (; digit(*s); s++)
        if (e < 100000) e = e * 10 + (*s - '0');
    d->exponent += negative ? -e : e;
    return s;
}

static int convert(const char *start, const decimal *d, double *value) {
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->w == 0) {
        *value = 0.0;
        return 1;
    }
    if (!d->left_out) {
        if (d->w <= UINT64_C(1) << 53 && d->exponent >= -22 && d->exponent <= 22) {
            double w = (double)d->w;
            *value = d->exponent < 0 ? w / exact[-d->exponent] : w * exact[d->exponent];
            return 1;
        }
        if (scaled(d->w, d->exponent, value)) return 1;
    } else {
        double above;
        if (scaled(d->w, d->exponent, value) && scaled(d->w + 1, d->exponent, &above) && *value == above) return 1;
    }
    *value = strtod(start, NULL);
    return 1;
}

int ts_number(const char **at, double *value, int *whole) {
    const char *s = *at;
    int negative = *s == '-';
    *whole = 0;
    if (*s == '-' || *s == '+') s++;
    if (s[0] == 'n' && s[1] == 'a' && s[2] == 'n') {
        *value = (double)__builtin_nan("");
        *at = s + 3;
        return 1;
    }
    if (s[0] == 'i' && s[1] == 'n' && s[2] == 'f') {
        *value = negative ? -__builtin_inf() : __builtin_inf();
        *at = s + 3;
        return 1;
    }
    decimal d = {0, 0, 0, 0};
    const char *start = s, *end = digits(s, &d, 0);
    int any = end != start, integer = 1;
    if (end - start > TS_EXACT_DIGITS && *end != '.' && *end != 'e' && *end != 'E') return 0;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = digits(fraction, &d, 1);
        any |= end != fraction;
        integer = 0;
    }
    if (!any) return 0;
    if (*end == 'e' || *end == 'E') {
        end = exponent(end + 1, &d);
        if (end == NULL) return 0;
        integer = 0;
    }
    if (!convert(start, &d, value)) return 0;
    /* A number that no double holds is for the caller to refuse. */
    if (d.w != 0 && (*value == 0.0 || *value > 1.7976931348623157e308)) return 0;
    if (negative) *value = -*value;
    *whole = integer;
    *at = end;
    return 1;
}
