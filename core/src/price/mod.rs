//! Prices: what tokens cost, exactly, in nano-dollars.
