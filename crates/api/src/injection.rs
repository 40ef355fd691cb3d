//! Settings of the injector, as the operator writes them to the ConfigMap `weft-injection`.
