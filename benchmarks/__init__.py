"""Speed, shown as ratios: peers and this node interleaved in one run on one machine."""
