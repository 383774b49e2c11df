"""Who answers ARP and neighbour discovery for the VIPs, and whether real servers take their
packets: what is asked of the segment, and what the answers mean."""
