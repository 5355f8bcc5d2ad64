console.log("mote");
