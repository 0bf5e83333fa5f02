/* The beam: incident directions and wavelengths (model.md section 6), polarisation (7), fluence (3). */
#ifndef SOURCES_H
#define SOURCES_H

#include "detector.h"
#include "errors.h"
#include "settings.h"

typedef struct {
    Vec3 incident; /* unit vector from the source to the crystal */
    double lambda_m;
    Vec3 position_m; /* as given, for the log */
    double weight;   /* read, printed, never used: each source counts the same */
} Source;

typedef struct {
    Source *sources;
    int count;
    int directions; /* generated ones, each with every wavelength; -1 for sources from a file */
    bool from_file;
    double lambda0_m;
    Sampled dispersion, hdiv, vdiv;
    bool round_div;
    double fluence; /* photons per m^2 */
    double dmin_m;
    double polarization;
    bool nopolar;
} Beam;

/* Sources from a file's text: lines of X Y Z weight wavelength[m], missing columns from the beam. */
bool parse_sources(Beam *beam, const char *path, const char *text, const Detector *detector, Error *err);

/* The direction of a tick of divergence, each way; false where a round beam leaves it out. */
bool divergence_rad(const Beam *beam, int hdiv_tic, int vdiv_tic, double *hdiv, double *vdiv);

/* The wavelength of a tick of dispersion. */
double wavelength_m(const Beam *beam, int disp_tic);

/* Everything about the beam. `source_text` is NULL without -sourcefile. */
bool build_beam(Beam *beam, const Settings *settings, const Detector *detector, const char *source_text, Error *err);

/* Polarisation factor for unit vectors; K is the Kahn factor. */
double polarization_factor(double K, Vec3 incident, Vec3 diffracted, Vec3 polar_vector);

void free_beam(Beam *beam);

#endif
