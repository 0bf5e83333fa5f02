/* Physical constants (model.md section 1) and the angle conversion, in one place.
 * Flags come in the units of the laboratory (mm, deg, angstrom); everything behind the parser is in metres and
 * radians, except the cell vectors during set-up, which are in angstroms. */
#ifndef UNITS_H
#define UNITS_H

#define PI 3.14159265358979323846
/* degrees per radian; angles are divided and multiplied by it, so that a round trip loses as little as it did */
#define RTD (180.0 / PI)

#define R_E_SQR 7.94079248018965e-30                     /* Thomson cross section, m^2 */
#define AVOGADRO 6.02214179e23                           /* per mol */
#define HC_EV_ANGSTROM 12398.42                          /* energy to wavelength */
#define DEFAULT_FLUENCE 125932015286227086360700780544.0 /* photons per m^2 */
#define WATER_F 2.57                                     /* electrons per water molecule at forward scattering */
#define WATER_MW 18.0                                    /* g/mol */
#define ROUND_XTAL_CORRECTION 0.723601254558268
#define SOURCE_DISTANCE_M 10.0
#define PROTEIN_DENSITY 1.2e6 /* g/m^3, for the molecular weight that is printed */
#define ODD_ANGLE 1.0000001   /* a sine or cosine above it is printed as odd */

/* Upper bound for one array of pixels or of grid points: beyond it a command line is refused, not tried. */
#ifndef MAX_ELEMENTS
#define MAX_ELEMENTS 268435456.0
#endif

#endif
